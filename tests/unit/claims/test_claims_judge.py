"""From YAML and tables to records: the way through, each slip that is named, and the claims of the posts."""

import copy
import json
import re
import shutil
import textwrap
from argparse import ArgumentParser
from pathlib import Path

import pandas
import pytest
import yaml

from postproof.claims import Verdict, document, judge
from postproof.claims.expression import RESERVED
from postproof.claims.rules import RULES
from postproof.core import files
from postproof.core.errors import ClaimError, PostproofError, UsageError
from postproof.engines import inventory

ROOT = Path(__file__).parents[3]
SCHEMAS = ROOT / "workflow/schemas/tables"
SCHEMA = SCHEMAS / "mixtral/race.yaml"
SEEDS = [7, 8, 9, 10, 11]
STEP_FLOPS = {"dense": 17_326_669_824, "moe": 8_196_747_264}
CHECKPOINTS = {"dense": [2, 3, 4, 5, 6, 7, 9, 10, 11, 12], "moe": [3, 5, 8, 10, 13, 15, 18, 20, 22, 25]}
PARAMS = {"mixtral": {"model": {"d_model": 192}, "race": {"seeds": SEEDS}}}

CLAIMS = textwrap.dedent("""
    post: mixtral
    title: A small post
    values:
      perplexity: {table: race, where: {arm: dense, protocol: as_posted}, checkpoint: last, column: val_perplexity}
      course: {table: race, where: {arm: dense, protocol: as_posted}, column: val_perplexity}
      steps: {table: race, where: {arm: dense, protocol: as_posted}, checkpoint: -1, column: step}
      width: {param: mixtral.model.d_model, unit: features}
    claims:
      - {id: race_steps, where: Result, statement: Steps., posted: 12, unit: steps, got: steps, rule: exact}
      - {id: race_width, where: Setup, statement: Width., posted: 193, unit: features, got: width, rule: exact}
      - id: race_perplexity
        where: Result
        statement: Perplexity.
        posted: 25.30
        unit: perplexity
        got: perplexity
        rule: {single_run_spread: {level: 0.95}}
        if: the windows
          are drawn anew
        note: A note.
      - {id: race_seconds, where: Result, statement: Time., posted: 1.7, unit: s, needs: a clock}
      - id: race_share
        where: Result
        statement: A part.
        posted: 6.25
        unit: "%"
        got: posted(race_steps) / steps / 16
        rule: rounded
      - {id: race_again, where: End, statement: Rounded., posted: 25, unit: perplexity,
         rule: {same_as: {claim: race_perplexity}}}
      - {id: race_order, where: End, statement: Falls., posted: true,
         rule: {ordering: {ascending: [last(course), first(course)]}}}
""")


@pytest.fixture
def race() -> pandas.DataFrame:
    """A made-up race with the posted steps, FLOPs and tokens; MoE is behind at two checkpoints, then ahead."""
    rows = []
    for arm, steps in CHECKPOINTS.items():
        for seed in SEEDS:
            for protocol in ("as_posted", "fixed_windows"):
                for index, step in enumerate(steps):
                    ahead = (index - 1.5) * 0.5 if arm == "moe" else 0
                    perplexity = 40 - 1.6 * index - ahead + 0.2 * (seed - 9)
                    rows.append([arm, seed, protocol, step, step * STEP_FLOPS[arm], step * 1536, 3.0, 3.1, perplexity])
    return pandas.DataFrame(rows, columns=list(yaml.safe_load(SCHEMA.read_text())))


class Desk:
    """A folder with one post's claims, its schema and its table, and the command that judges them."""

    def __init__(self, folder: Path, race: pandas.DataFrame):
        self.folder, self.race, self.params, self.claims = folder, race, copy.deepcopy(PARAMS), CLAIMS
        self.out, self.others = folder / "claims.json", []
        self.schemas, self.tables = [folder / "schemas/mixtral/race.yaml"], [folder / "mixtral/metrics/race.csv"]
        for file in (*self.schemas, *self.tables):
            file.parent.mkdir(parents=True)
        shutil.copy(SCHEMA, self.schemas[0])

    def judge(self, name: str = "mixtral") -> dict[str, dict]:
        (self.folder / f"{name}.yaml").write_text(self.claims)
        files.write_csv(self.tables[0], self.race)
        return self.run(name)

    def run(self, name: str = "mixtral") -> dict[str, dict]:
        parser = ArgumentParser()
        judge.add_arguments(parser)
        line = ["--claims", self.folder / f"{name}.yaml", "--out", self.out, "--schemas", *self.schemas]
        line += ["--tables", *self.tables, "--params", json.dumps(self.params["mixtral"])]
        line += ["--others", *self.others] if self.others else []
        assert judge.main(parser.parse_args(list(map(str, line)))) == 0
        return {record["id"]: record for record in files.read_json(self.out)}


@pytest.fixture
def desk(tmp_path, race) -> Desk:
    return Desk(tmp_path, race)


def test_verdicts(desk):
    verdicts = {name: record["verdict"] for name, record in desk.judge().items()}
    assert verdicts == {
        "race_steps": Verdict.HOLDS,
        "race_width": Verdict.DOES_NOT_HOLD,
        "race_perplexity": Verdict.HOLDS_IF,
        "race_seconds": Verdict.NOT_CHECKED,
        "race_share": Verdict.HOLDS,
        "race_again": Verdict.HOLDS,
        "race_order": Verdict.HOLDS,
    }


def test_record_has_what_a_reader_asks_for(desk):
    records = desk.judge()
    spread = records["race_perplexity"]
    assert spread["posted"] == "25.30" and spread["unit"] == "perplexity"  # the zero is a posted digit
    assert spread["got"] == spread["spread"]["values"] == [25.2, 25.4, 25.6, 25.8, 26]
    assert spread["condition"] == "the windows are drawn anew" and spread["note"] == "A note."
    assert spread["options"] == {"level": "0.95"}
    assert spread["artefact"] == (
        "results/mixtral/metrics/race.csv: val_perplexity of arm dense, protocol as_posted, last step"
    )
    assert spread["decided_by"] == "src/postproof/claims/rules.py: single_run_spread"
    assert records["race_width"]["artefact"] == "params.yaml: mixtral.model.d_model"
    assert records["race_seconds"]["needs"] == "a clock" and records["race_seconds"]["got"] is None
    assert records["race_share"]["got"] == 6.25
    assert records["race_again"]["artefact"] == "the post's number in race_perplexity"
    assert records["race_order"]["posted"] is True and len(records["race_order"]["got"][0]) == 5


def test_same_bytes_again(desk):
    desk.judge()
    first = desk.out.read_bytes()
    desk.run()
    assert desk.out.read_bytes() == first


def test_another_post_can_be_quoted(desk, tmp_path):
    other = CLAIMS.replace("post: mixtral", "post: large").replace("race_", "large_")
    (tmp_path / "large.yaml").write_text(other)
    desk.others = [tmp_path / "large.yaml"]
    quoting = CLAIMS.replace("{claim: race_perplexity}", "{claim: large_perplexity}")
    desk.claims = quoting.replace("values:", "others: [large]\nvalues:", 1)
    assert desk.judge()["race_again"]["verdict"] == "holds"
    desk.claims = desk.claims.replace("id: race_seconds", "id: large_seconds")
    with pytest.raises(ClaimError, match="id stands twice"):
        desk.judge()
    for named in ("", "others: [larger]\n", "others: [large, larger]\n"):
        desk.claims = quoting.replace("values:", f"{named}values:", 1)
        with pytest.raises(ClaimError, match="claims of other posts than these"):
            desk.judge()
    desk.claims = quoting.replace("values:", "others: large\nvalues:", 1)
    with pytest.raises(ClaimError, match="not a list of posts"):
        desk.judge()


SLIPS = [
    # what is typed, what it should be, words of the message, words of the context or of the remedy
    ("unit: steps, got", "unti: steps, got", "unknown key: unti", "did you mean 'unit'?"),
    ("posted: 12,", "posted: twelve,", "not a number", "race_steps"),
    ("posted: 12,", "posted: 1,2,", "unknown key: 2", "race_steps"),
    ("posted: 12,", "posted: 12, posted: 12,", "stands twice", "posted"),
    ("posted: 12,", "posted: [12],", "not a number", "as typed"),
    ("posted: 12,", "", "'posted' is missing", "race_steps"),
    ("unit: steps, ", "", "not a text", "race_steps"),
    ("unit: steps, ", "unit: 2 steps, ", "not a unit", "2 steps"),
    ("unit: steps, ", "unit: step, ", "unknown unit", "steps"),
    ("d_model, unit: features", "d_model, unit: feet", "unknown unit", "values.width"),
    ("unit: steps, ", "unit: tokens, ", "another unit", "steps"),
    ("statement: Steps.", "statement: [Steps]", "not a text", "statement"),
    ("id: race_width", "id: race_steps", "id stands twice", "race_steps"),
    ("id: race_width", "id: Race-width", "not an id", "Race-width"),
    ("got: steps, rule: exact", "got: steps, rule: exactly", "unknown rule", "did you mean 'exact'?"),
    ("got: steps, rule: exact", "got: steps, rule: [exact]", "unknown rule", "exact"),
    ("got: steps, rule: exact", "got: steps, rule: {exact: {digits: 2}}", "unknown key: digits", "race_steps"),
    ("got: steps, rule: exact", "got: steps, rule: {relative: {tolerance: 2}}", "out of range", "between 0 and 1"),
    ("got: steps, rule: exact", "got: steps, rule: {relative: {tolerance: x}}", "not a number", "relative.tolerance"),
    ("got: steps, rule: exact", "got: steps, rule: {relative: {tolerance: nan}}", "not a number|out of range", "nan"),
    ("got: steps, rule: exact", "got: steps, rule: relative", "'tolerance' is missing", "race_steps"),
    ("got: steps, rule: exact", "got: steps, rule: {inequality: {op: =<}}", "unknown comparison", "<="),
    ("got: steps, rule: exact", "got: steps, rule: statement", "does not go with", "true"),
    ("got: steps, rule: exact", "got: steps", "'rule' is missing", "needs"),
    ("got: steps, rule: exact", "rule: exact", "needs key 'got'", "race_steps"),
    ("got: steps, rule: exact", "got: steps, rule: {same_as: {claim: race_width}}", "takes no key 'got'", "race_steps"),
    ("got: steps, rule: exact", "rule: {same_as: {claim: race_width}}", "units differ", "steps and features"),
    ("got: steps, rule: exact", "rule: {same_as: {claim: race_steps}}", "unknown claim", "race_steps"),
    ("got: steps, rule: exact", "rule: {same_as: {claim: race_order}}", "unknown claim", "race_order"),
    ("got: steps, rule: exact", "got: step, rule: exact", "unknown value: step", "did you mean 'steps'?"),
    ("got: steps, rule: exact", "got: steps + width, rule: exact", "units differ", "race_steps"),
    ("got: steps, rule: exact", "got: steps.real, rule: exact", "not allowed", "steps.real"),
    ("got: steps, rule: exact", "got: 'posted(race_order) * steps', rule: exact", "unknown claim", "race_order"),
    ("needs: a clock", "needs: a clock, rule: exact", "is not judged", "race_seconds"),
    ("rule: {single_run_spread: {level: 0.95}}", "rule: exact", "compares one value", "at_seed"),
    ("got: perplexity\n", "got: course\n", "one value per seed", "race_perplexity"),
    ("ascending: [last(course), first(course)]", "ascending: [last(course)]", "two or more", "race_order"),
    ("ascending: [last(course), first(course)]", "ascending: [last(course), steps]", "units differ", "race_order"),
    ("post: mixtral", "post: large", "different names", "large"),
    ("title: A small post", "titel: A small post", "unknown key: titel", "did you mean 'title'?"),
    ("values:\n", "tables: {}\nvalues:\n", "unknown key: tables", "title"),
    ("width: {param", "mean: {param", "not a name for a value", "values.mean"),
    ("d_model, unit: features", "d_modle, unit: features", "unknown param", "did you mean 'd_model'?"),
    ("model.d_model, unit", "race.seeds, unit", "param is not a number", "seeds"),
    ("d_model, unit: features", "d_model", "'unit' is missing", "values.width"),
    ("checkpoint: -1,", "checkpoint: -11,", "no such checkpoint", "-10 to 9"),
    ("checkpoint: -1,", "checkpoint: final,", "not a checkpoint", "last"),
    ("checkpoint: -1,", "checkpoint: 1.5,", "not a checkpoint", "1.5"),
    ("checkpoint: -1,", "constant: true,", "rows of this table are checkpoints", "values.steps"),
    ("checkpoint: -1,", "rows: all,", "rows of this table are checkpoints", "values.steps"),
    ("checkpoint: -1,", "checkpoint: -1, rows: all,", "in one way only", "checkpoint, rows"),
    ("checkpoint: -1,", "rows: some,", "unknown rows: some", "all"),
    ("checkpoint: -1,", "constant: false,", "unknown constant: False", "true"),
    ("checkpoint: -1, column: step}", "checkpoint: -1, column: steps}", "unknown column", "did you mean 'step'?"),
    ("checkpoint: -1, column: step}", "checkpoint: -1, column: seed}", "unknown column", "race.csv"),
    ("steps: {table: race, where: {arm: dense", "steps: {table: race, where: {arm: dens", "selection is empty", "moe"),
    ("steps: {table: race, where: {arm: dense", "steps: {table: race, where: {arn: dense", "unknown column", "'arm'?"),
    ("steps: {table: race, where: {arm: dense, ", "steps: {table: race, where: {", "do not increase", "values.steps"),
    ("steps: {table: race", "steps: {table: rice", "unknown table", "did you mean 'mixtral/race'?"),
    ("steps: {table: race", "steps: {table: large/race", "unknown table", "mixtral/race"),
    ("steps: {table: race", "steps: {table: results/mixtral/race", "not a table", "{post}/{table}"),
    ("steps: {table: race, where: {arm: dense", "steps: {table: race, where: {seed: 7, arm: dense", "seeds", "found"),
    ("steps: {table: race, where: {arm: dense", "steps: {table: race, where: {step: x, arm: dense", "of numbers", "x"),
]  # fmt: skip


@pytest.mark.parametrize("right, wrong, message, detail", SLIPS, ids=[wrong or right for right, wrong, *_ in SLIPS])
def test_a_slip_in_the_claims_is_named(desk, right, wrong, message, detail):
    assert right in CLAIMS
    desk.claims = CLAIMS.replace(right, wrong, 1)
    with pytest.raises(ClaimError, match=message) as caught:
        desk.judge()
    assert detail in str(caught.value)
    assert "mixtral.yaml" in str(caught.value)
    assert not desk.out.exists()


def spoil_missing(desk):
    desk.tables[0].unlink()


def spoil_cut(desk):
    desk.tables[0].write_text(desk.tables[0].read_text()[:-5])


def spoil_tables(change):
    def spoil(desk):
        files.write_csv(desk.tables[0], change(desk.race))

    return spoil


def spoil_schema(text):
    return lambda desk: desk.schemas[0].write_text(text)


def spoil_in_schema(right, wrong):
    return lambda desk: desk.schemas[0].write_text(SCHEMA.read_text().replace(right, wrong, 1))


def spoil_seeds(desk):
    desk.params["mixtral"]["race"]["seeds"] = [7, 7]


def one_cell(value):
    def change(race):
        race = race.astype({"val_perplexity": object if isinstance(value, str) else float})
        race.loc[9, "val_perplexity"] = value
        return race

    return change


def is_run(race, arm, seed):
    return (race.arm == arm) & (race.seed == seed)


@pytest.mark.parametrize(
    "spoil, message, detail",
    [
        (spoil_missing, "cannot read table", "race.csv"),
        (spoil_cut, "cut off", "race.csv"),
        (spoil_tables(one_cell(float("nan"))), "not a finite number", "val_perplexity"),
        (spoil_tables(one_cell(float("inf"))), "not a finite number", "val_perplexity"),
        (spoil_tables(one_cell("much")), "not a finite number", "val_perplexity"),
        (spoil_tables(lambda race: race.drop(columns="step")), "table lacks column step", "race.csv"),
        (spoil_tables(lambda race: race.assign(extra=1)), "table has column extra", "race.csv"),
        (spoil_tables(lambda race: race[~is_run(race, "dense", 9)]), "different seeds", "7, 8, 10, 11"),
        (spoil_tables(lambda race: race[race.seed != 9]), "different seeds", "7, 8, 10, 11"),
        (spoil_tables(lambda race: race.drop(index=9)), "different numbers of checkpoints", "9, 10"),
        (spoil_tables(lambda race: race[::-1]), "checkpoints do not increase", "race.csv"),
        (spoil_seeds, "a seed stands twice", "mixtral.race.seeds"),
        (spoil_in_schema("race.seeds", "race.seed"), "unknown param", "did you mean 'seeds'?"),
        (spoil_in_schema("race.seeds", "model.width"), "unknown param", "width"),
        (spoil_in_schema("race.seeds", "model"), "not a list of seeds", "mixtral.model"),
        (spoil_in_schema("  checkpoint: true\n", ""), "this table has no checkpoints", "values.steps"),
        (spoil_in_schema("unit: nats", "unit: nat"), "unknown unit", "nats"),
        (spoil_schema("arm: {unit: label}"), "not a column", "arm"),
        (spoil_schema("arm: [label]"), "not a column", "arm"),
        (spoil_schema("- arm"), "has no columns", "race.yaml"),
        (spoil_schema("{"), "cannot read the schema", "race.yaml"),
    ],
)
def test_a_broken_artefact_is_named(desk, spoil, message, detail):
    desk.judge()
    desk.out.unlink()
    spoil(desk)
    with pytest.raises(ClaimError, match=message) as caught:
        desk.run()
    assert detail in str(caught.value)
    assert not desk.out.exists()


def test_a_table_or_schema_that_the_job_was_not_handed(desk):
    desk.judge()
    post = document.read(desk.folder / "mixtral.yaml")
    schema, table = desk.schemas[0], desk.tables[0]
    for schemas, tables in (([], [table]), ([schema], []), ([schema], [table, "a" / Path(*table.parts[-3:])])):
        with pytest.raises(ClaimError, match="not handed it|two table files"):
            judge.read_tables(post, schemas, tables, PARAMS)


@pytest.mark.parametrize("params", ["{", "[1]"])
def test_params_are_an_object(tmp_path, params):
    parser = ArgumentParser()
    judge.add_arguments(parser)
    with pytest.raises(UsageError):
        judge.main(parser.parse_args(["--claims", "x.yaml", "--params", params, "--out", str(tmp_path / "out.json")]))


LOADS = "model,users,length,held,cache_bytes\nlarge,1,128,GPU,2e9\nlarge,1,256,GPU,4e9\nlarge,8,128,GPU,16e9\n"
LOADS_SCHEMA = """
model: {unit: label, description: a name}
users: {unit: users, description: at once}
length: {unit: tokens, description: context}
held: {unit: label, description: where}
cache_bytes: {unit: bytes, description: size}
"""


def judged(folder: Path, value: str, claim: str) -> dict:
    """The record of one claim over one value `x` of a table without runs and checkpoints, LOADS."""
    files_of = {
        "mixtral.yaml": f"""
            post: mixtral
            title: A table without runs
            values: {{x: {{table: loads, {value}}}}}
            claims: [{{id: loads_x, where: A, statement: One., {claim}}}]
        """,
        "published/loads.yaml": LOADS_SCHEMA,
        "mixtral/metrics/loads.csv": LOADS,
    }
    for name, content in files_of.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    post = document.read(folder / "mixtral.yaml")
    tables = judge.read_tables(post, [folder / "published/loads.yaml"], [folder / "mixtral/metrics/loads.csv"], {})
    return judge.judge(post, tables, {})[0]


@pytest.mark.parametrize(
    "value, claim, got, artefact",
    [
        ("where: {length: 256}, column: length", "posted: 256, unit: tokens, got: x, rule: exact", 256,
         "length of length 256"),
        ("column: length, rows: all, where: {users: 1}",
         "posted: true, got: x, rule: {monotonic: {direction: increasing}}", [128, 256], "length of users 1, all rows"),
        ("column: length, rows: all", "posted: 3, unit: '1', got: count(x), rule: exact", 3,
         "length of all rows"),
        ("column: users, where: {users: 1}, constant: true", "posted: 1, unit: users, got: x, rule: exact", 1,
         "users of users 1, the same in all rows"),
        ("column: cache_bytes, where: {users: 8}", "posted: 16.0, unit: GB, got: x, rule: exact", 16,
         "cache_bytes of users 8"),
        ("column: cache_bytes, where: {users: 8}", "posted: 14.9, unit: GiB, got: x, rule: rounded", 14.9011612,
         "cache_bytes of users 8"),
        ("column: cache_bytes, where: {length: 256}", "posted: 0.004, unit: TB, got: x, rule: exact", 0.004,
         "cache_bytes of length 256"),
    ],
)  # fmt: skip
def test_cells_of_a_table_without_runs(tmp_path, value, claim, got, artefact):
    record = judged(tmp_path, value, claim)
    assert record["verdict"] == "holds", record["reason"]
    assert record["artefact"] == f"results/mixtral/metrics/loads.csv: {artefact}"
    if record["posted"] is not True:
        assert record["got"] == got


@pytest.mark.parametrize(
    "value, message, details",
    [
        ("where: {users: 1}, column: cache_bytes", "several rows", ["loads.csv", "cache_bytes", "differ in: length"]),
        ("column: cache_bytes", "several rows", ["rows: 3", "differ in: users, length", "constant: true"]),
        ("column: cache_bytes, constant: true", "not constant", ["2e+09 to 1.6e+10"]),
        ("where: {users: 8}, column: cache_bytes, checkpoint: first", "has no checkpoints", ["values.x", "rows: all"]),
        ("where: {users: 9}, column: cache_bytes", "selection is empty", ["1, 8"]),
        ("column: held, rows: all", "unknown column", ["held"]),
    ],
)
def test_a_selection_has_to_mean_one_thing(tmp_path, value, message, details):
    with pytest.raises(ClaimError, match=message) as caught:
        judged(tmp_path, value, "posted: 4, unit: GB, got: x, rule: exact")
    for detail in details:
        assert detail in str(caught.value)


def test_rows_of_several_runs(desk):
    """Without a checkpoint column a run has rows, which are one value each by default and all of them on demand."""
    desk.judge()
    desk.schemas[0].write_text(SCHEMA.read_text().replace("  checkpoint: true\n", "", 1))
    desk.claims = re.sub(r"checkpoint: (last|-1)", "rows: all", CLAIMS)
    desk.claims = desk.claims.replace("as_posted}, column", "as_posted}, rows: all, column")
    desk.claims = re.sub(r"(got: |/ )(perplexity|steps)\b", r"\1last(\2)", desk.claims)
    records = desk.judge()
    assert records["race_perplexity"]["spread"]["values"] == [25.2, 25.4, 25.6, 25.8, 26]
    assert records["race_perplexity"]["artefact"].endswith("protocol as_posted, all rows")
    desk.claims = desk.claims.replace("rows: all,", "", 1)
    with pytest.raises(ClaimError, match="several rows"):
        desk.judge()


def test_the_example_of_the_documentation_is_judged(desk):
    """By the real schema and the real params; the race is the made-up one."""
    text = (ROOT / "docs/claims.md").read_text()
    desk.claims = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1]
    desk.params = yaml.safe_load((ROOT / "params.yaml").read_text())
    records = desk.judge()
    assert [record["verdict"] for record in records.values()] == ["holds if", "holds", "holds", "not checked"]
    typed = {claim["id"]: claim for claim in yaml.safe_load((ROOT / "claims/mixtral.yaml").read_text())["claims"]}
    for name, record in records.items():
        assert record["statement"] == typed[name]["statement"] and record["where"] == typed[name]["where"]


def test_the_documentation_names_every_rule_function_and_key():
    text = (ROOT / "docs/claims.md").read_text()
    words = [*RULES, *RESERVED, *document.REQUIRED, *document.OPTIONAL, "others", "constant", "rows", "checkpoint"]
    assert [word for word in words if not re.search(rf"\b{word}\b", text)] == []


def test_every_claim_of_the_mixtral_post_is_judged(desk):
    """With the made-up race as the one on another text, and the committed tables of all else."""
    desk.claims = (ROOT / "claims/mixtral.yaml").read_text()
    needed = inventory.claims(ROOT, "mixtral").tables
    others = [Path(table) for table in needed if table != "mixtral/race"]
    desk.tables += [ROOT / "results" / table.parent / f"metrics/{table.name}.csv" for table in others]
    desk.schemas += [SCHEMAS / f"{table}.yaml" for table in others]
    desk.params = yaml.safe_load((ROOT / "params.yaml").read_text())
    records = desk.judge("mixtral")
    typed = yaml.safe_load(desk.claims)
    assert list(records) == [claim["id"] for claim in typed["claims"]]
    for name, record in records.items():
        pure_of_runs = record["rule"] in ("exact", "rounded", "same_as") or name.endswith("_arithmetic")
        if record["verdict"] == "not checked":
            assert record["needs"]
        elif pure_of_runs:  # the recorded race has the posted steps, FLOPs and sizes
            assert record["verdict"] == "holds", record
        assert name.startswith(("race_", "router_", "isoflop_", "parameters_", "flop_", "worked_token_"))
        if not name.startswith("race_"):
            continue
        of_fixed_windows = name.endswith(("_fixed_windows", "_another_text"))
        assert "fixed_windows" not in (record["artefact"] or "") or of_fixed_windows
        assert ("metrics/race.csv" in (record["artefact"] or "")) == name.endswith("_another_text")
        assert not name.endswith("_fixed_windows") or "as_posted" not in record["artefact"]
    assert records["race_final_perplexity_dense_rerun"]["verdict"] == "holds if"
    assert records["race_moe_stays_ahead_fixed_windows"]["verdict"] == "holds if"
    assert records["race_final_perplexity_moe"]["spread"]["n"] == 5


def test_errors_are_of_the_claim_family(desk):
    desk.claims = CLAIMS.replace("rule: exact", "rule: exactly")
    with pytest.raises(PostproofError) as caught:
        desk.judge()
    assert caught.value.exit_code == 15 and caught.value.family == "claim"
    assert list(caught.value.context)[:2] == ["file", "claim"]
