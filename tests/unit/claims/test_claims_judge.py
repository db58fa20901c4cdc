"""From YAML and tables to records: the way through, each slip that is named, and the claims of the posts."""

import copy
import json
import re
import shutil
import tempfile
import textwrap
from argparse import ArgumentParser
from pathlib import Path

import pandas
import pytest
import yaml

from postproof.claims import Evidence, Kind, Severity, Verdict, artefacts, document, judge
from postproof.claims.expression import RESERVED
from postproof.claims.rules import RULES
from postproof.core import files
from postproof.core.errors import ClaimError, PostproofError, UsageError
from postproof.engines import coverage, inventory

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
    evidence:
      race: {kind: experiment, of: five seeds}
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
        got: at_seed(perplexity, 7)
        rule: {relative: {tolerance: 0.01}}
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
      - {id: race_again, where: End, statement: Rounded., posted: 25, unit: perplexity, repeats: race_perplexity}
      - {id: race_other, where: End, statement: Steps again., posted: 12.0, unit: steps,
         rule: {same_as: {claim: race_steps}}}
      - {id: race_batch, where: Setup, statement: Width too., posted: 192, unit: features, setting: true, got: width}
      - id: race_falls
        where: Result
        statement: The dense run ends lower than it began.
        posted: true
        got: last(course) - race[arm=dense, protocol=as_posted, first].val_perplexity
        rule: {difference: {op: <, level: 0.95}}
      - id: race_fast
        where: Result
        statement: It falls fast.
        posted: true
        readings:
          - {if: to less than half, got: last(course) < first(course) / 2}
          - {if: to less than two thirds, got: last(course) < first(course) * 2 / 3}
        rule: statement
      - id: race_rerun
        where: Result
        statement: The author's perplexity.
        posted: 25.2
        unit: perplexity
        rerun: {got: "at_seed(perplexity, 7)", rule: rounded, differs: the card}
      - {id: race_order, where: End, statement: Falls., posted: true,
         rule: {ordering: {ascending: [last(course), first(course)]}}}
    findings:
      - id: race_spread
        where: Result
        statement: Over five seeds it ends at {low} to {high}.
        numbers:
          low: {got: min(perplexity), unit: perplexity}
          high: {got: max(perplexity), unit: perplexity, digits: 4}
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
        self.out, self.others, self.works = folder / "claims.json", [], []
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
        line += ["--stages", json.dumps({"results/mixtral/metrics/race.csv": "race_metrics"})]
        line += ["--others", *self.others] if self.others else []
        line += ["--works", *self.works] if self.works else []
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
        "race_again": Verdict.HOLDS_IF,
        "race_other": Verdict.HOLDS,
        "race_batch": Verdict.HOLDS,
        "race_falls": Verdict.HOLDS,
        "race_fast": Verdict.HOLDS_IF,
        "race_rerun": Verdict.REPRODUCED,
        "race_order": Verdict.HOLDS,
        "race_spread": None,
    }
    kinds = {name: record["kind"] for name, record in desk.run().items() if record["kind"] != Kind.CLAIM}
    assert kinds == {"race_again": Kind.REPEAT, "race_batch": Kind.SETTING, "race_spread": Kind.FINDING}


def test_record_has_what_a_reader_asks_for(desk):
    records = desk.judge()
    perplexity = records["race_perplexity"]
    assert perplexity["posted"] == "25.30" and perplexity["unit"] == "perplexity"  # the zero is a posted digit
    assert perplexity["got"] == 25.2 and perplexity["reason"] == "off by 0.4 %; 1 % is allowed"
    assert perplexity["condition"] == "the windows are drawn anew" and perplexity["note"] == "A note."
    assert perplexity["options"] == {"tolerance": "0.01"}
    assert perplexity["evidence"] == [Evidence.EXPERIMENT] and perplexity["of"] == "five seeds"
    assert perplexity["artefact"] == (
        "results/mixtral/metrics/race.csv: val_perplexity of arm dense, protocol as_posted, last step"
    )
    assert perplexity["stages"] == {"results/mixtral/metrics/race.csv": "race_metrics"}
    assert perplexity["decided_by"] == "src/postproof/claims/rules.py: relative"
    assert records["race_width"]["artefact"] == "params.yaml: mixtral.model.d_model"
    assert records["race_width"]["severity"] == Severity.SLIP
    assert records["race_seconds"]["needs"] == "a clock" and records["race_seconds"]["got"] is None
    assert records["race_share"]["got"] == 6.25
    assert records["race_again"]["artefact"] == "the post's number in race_perplexity"
    assert records["race_other"]["artefact"] == "the post's number in race_steps"
    assert records["race_order"]["posted"] is True and len(records["race_order"]["got"][0]) == 5
    falls = records["race_falls"]["spread"]
    assert records["race_falls"]["intervals"] == [0.95] and records["race_perplexity"]["intervals"] == []
    assert falls["n"] == 5 and falls["values"] == pytest.approx([-14.4] * 5)
    assert records["race_fast"]["condition"] == "to less than two thirds"
    assert [reading["holds"] for reading in records["race_fast"]["readings"]] == [False, True]
    assert records["race_spread"]["statement"] == "Over five seeds it ends at 25.2 to 26.00."
    assert records["race_spread"]["evidence"] == [Evidence.EXPERIMENT]


def test_the_intervals_that_a_table_brings_are_counted_once_each(desk):
    """Both bounds of the intervals of five seeds; then the upper ones again, in a second reading."""
    schema = yaml.safe_load(SCHEMA.read_text())
    names = {"train_loss": "gap_low", "val_loss": "gap_high"}
    bounds = {new: schema[old] | {"level": 0.9} for old, new in names.items()}
    renamed = {names.get(name, name): bounds.get(names.get(name), entry) for name, entry in schema.items()}
    desk.schemas[0].write_text(yaml.safe_dump(renamed, sort_keys=False))
    desk.race = desk.race.rename(columns=names)
    of_dense = "race[arm=dense, protocol=as_posted, last]"
    both = f"all({of_dense}.gap_low < {of_dense}.gap_high)"
    assert one(desk, got=both, rule="statement")["intervals"] == [0.9] * 5
    readings = [{"if": "a", "got": both}, {"if": "b", "got": f"all({of_dense}.gap_high < 0)"}]
    assert one(desk, readings=readings, rule="statement")["intervals"] == [0.9] * 10


def one(desk, **entry) -> dict:
    """The record of a claim of the Result, beside those of CLAIMS."""
    entry = {"id": "race_one", "where": "Result", "statement": "One.", "posted": True} | entry
    content = yaml.safe_load(CLAIMS)
    content["claims"].append(entry)
    desk.claims = yaml.safe_dump(content)
    return desk.judge()["race_one"]


TRUE, FALSE = "last(course) < first(course)", "last(course) > first(course)"


@pytest.mark.parametrize(
    "readings, verdict, condition",
    [
        ([TRUE, TRUE], "holds", "one; or: two"),
        ([TRUE, FALSE], "holds if", "one"),
        ([FALSE, TRUE], "holds if", "two"),
        ([FALSE, FALSE], "does not hold", "one"),
        ([FALSE, "steps < 0"], "does not hold", "one"),
    ],
)
def test_readings_give_one_verdict(desk, readings, verdict, condition):
    entry = {"readings": [{"if": word, "got": got} for word, got in zip(("one", "two"), readings)], "rule": "statement"}
    record = one(desk, **entry)
    assert (record["verdict"], record["condition"]) == (verdict, condition)
    assert [reading["if"] for reading in record["readings"]] == ["one", "two"]


def test_runs_that_disagree_decide_nothing(desk):
    mixed = "last(course) < at_seed(last(course), 9)"
    record = one(desk, got=mixed, rule="statement")
    assert record["verdict"] == Verdict.UNDECIDED and record["reason"] == "true in 2 of 5 runs"
    entry = {"readings": [{"if": "one", "got": FALSE}, {"if": "two", "got": mixed}], "rule": "statement"}
    assert one(desk, **entry)["verdict"] == Verdict.UNDECIDED


@pytest.mark.parametrize(
    "second, verdict, words",
    [
        (None, "does not hold", "true in 0 of 5 runs"),
        ("last(course) > 2 * first(course)", "does not hold", "true in 0 of 5 runs"),
        (TRUE, "undecided", "a second computation does not say so: true in 5 of 5 runs"),
    ],
)
def test_a_refutation_stands_when_a_second_computation_agrees(desk, second, verdict, words):
    record = one(desk, got=FALSE, rule="statement", nearest="if {n} runs fell",
                 numbers={"n": {"got": "count(perplexity)", "unit": "1", "digits": "1"}},
                 **({"second": second} if second else {}))  # fmt: skip
    assert record["verdict"] == verdict and words in record["reason"]
    assert record["nearest"] == "if 5 runs fell"
    assert record["severity"] == ("conclusion" if verdict == "does not hold" else None)
    assert second is None or record["second"]["expression"] == [second]


@pytest.mark.parametrize(
    "posted, unit, got, severity",
    [
        ("12.1", "steps", "steps", "slip"),  # off by less than 1 %
        ("12.2", "steps", "steps", "number"),
        ("120", "steps", "steps", "number"),  # ten times is no unit
        ("12000", "steps", "steps", "slip"),  # a thousand times is
        ("0", "steps", "steps", "number"),
        ("-12", "steps", "steps", "number"),
    ],
)
def test_severity_follows_from_the_numbers_unless_it_is_stated(desk, posted, unit, got, severity):
    record = one(desk, posted=posted, unit=unit, got=got, rule="exact")
    assert (record["verdict"], record["severity"]) == ("does not hold", severity)
    assert one(desk, posted=posted, unit=unit, got=got, rule="exact", severity="conclusion")["severity"] == "conclusion"


def test_a_rerun_beside_a_claim_has_its_own_word(desk):
    entry = {"posted": "12", "unit": "steps", "got": "steps", "rule": "exact"}
    again = {"got": "steps + steps", "rule": "exact"}
    record = one(desk, **entry, rerun=again | {"differs": "the text"})
    assert record["verdict"] == "holds" and record["rerun"]["verdict"] == "not reproduced"
    assert record["rerun"]["differs"] == "the text" and record["rerun"]["got"] == 24
    assert one(desk, **entry, rerun=again)["rerun"]["verdict"] == "does not hold"  # where all is the same
    alone = one(desk, posted="12", unit="steps", rerun=again)
    assert alone["verdict"] == "does not hold" and alone["severity"] == "number" and "rerun" not in alone
    alone = one(desk, posted="12", unit="steps", rerun=again | {"differs": "the text"})
    assert alone["verdict"] == "not reproduced" and alone["differs"] == "the text"


def test_a_repeat_with_other_digits_is_a_claim_that_does_not_hold(desk):
    record = one(desk, posted="14", unit="steps", repeats="race_steps")
    assert record["kind"] == "claim" and record["verdict"] == "does not hold" and record["severity"] == "number"
    record = one(desk, posted=True, repeats="race_falls")
    assert record["kind"] == "repeat" and record["verdict"] == "holds" and "below 0" in record["reason"]


def test_a_setting_that_our_params_do_not_have_is_not_checked(desk):
    record = one(desk, posted="193", unit="features", setting=True, got="width")
    assert record["kind"] == "setting" and record["verdict"] == "not checked" and "193" in record["needs"]


def test_a_run_that_the_params_leave_out_is_needed_and_no_error(desk):
    desk.params["mixtral"]["race"]["seeds"] = SEEDS[1:]
    desk.race = desk.race[desk.race.seed != SEEDS[0]]
    desk.claims = CLAIMS.replace("low: {got: min(perplexity)", "low: {got: 'at_seed(perplexity, 7)'")
    records = desk.judge()
    for name in ("race_perplexity", "race_again", "race_rerun"):
        assert records[name]["verdict"] == Verdict.NOT_CHECKED and "seed 7" in records[name]["needs"], name
    assert records["race_perplexity"]["posted"] == "25.30" and records["race_again"]["kind"] == Kind.REPEAT
    assert records["race_spread"]["statement"] == "Over five seeds it ends at ... to ...."
    assert records["race_steps"]["verdict"] == Verdict.HOLDS


def test_what_is_needed_stands_beside_what_we_predict(desk):
    record = one(desk, posted="13", unit="steps", needs="the author's card", got="steps")
    assert record["verdict"] == "not checked" and record["got"] == 12 and "race.csv" in record["artefact"]


WORK = """
title: A paper
source: "Somebody 2024"
figures:
  steps: {value: "1,200", unit: steps, where: table 2}
  words: {value: many, unit: steps, where: table 3}
"""


@pytest.mark.parametrize(
    "posted, got, verdict",
    [
        ("1200", "published[paper].steps", "as in the source"),
        ("1300", "published[paper].steps", "does not hold"),
        ("1200", "published[paper].steps + 0 * steps", "holds"),  # not the source alone
    ],
)
def test_the_literature_has_a_word_of_its_own(desk, posted, got, verdict):
    desk.works = [desk.folder / "published/paper.yaml"]
    desk.works[0].parent.mkdir()
    desk.works[0].write_text(WORK)
    record = one(desk, posted=posted, unit="steps", got=got, rule="exact")
    assert record["verdict"] == verdict and "A paper (Somebody 2024), table 2" in record["artefact"]
    assert Evidence.PUBLIC in record["evidence"]
    for got, words in [("published[paper].step", "unknown figure"), ("published[book].steps", "unknown published work"),
                       ("published[paper].words", "not a number")]:  # fmt: skip
        with pytest.raises(ClaimError, match=words):
            one(desk, posted=posted, unit="steps", got=got, rule="exact")


def test_measurements_of_all_machines_are_one_table(tmp_path):
    files_of = {
        "data/measured/speed/small-cpu.csv": "arm,seconds,note\ndense,2.0,\nmoe,3.0,\n",
        "data/measured/speed/large-cpu.csv": "arm,seconds,note\ndense,1.0,\nmoe,1.2,\n",
        "schemas/mixtral/measured_speed.yaml": "machine: {unit: label, description: which}\n"
        "arm: {unit: label, description: which}\nseconds: {unit: s, description: a step}\n",
        "mixtral.yaml": """
            post: mixtral
            title: A measured post
            evidence: {measured_speed: {kind: measured, of: two machines}}
            values: {}
            claims:
              - {id: speed_small, where: A, statement: Slower., posted: 1.5, unit: '1', rule: exact,
                 got: "measured_speed[machine=small-cpu, arm=moe].seconds
                       / measured_speed[machine=small-cpu, arm=dense].seconds"}
        """,
    }
    for name, content in files_of.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    post = document.read(tmp_path / "mixtral.yaml")
    measured = sorted((tmp_path / "data/measured/speed").glob("*.csv"))
    tables = judge.read_tables(post, [tmp_path / "schemas/mixtral/measured_speed.yaml"], measured, {})
    record = judge.judge(post, tables, {})[0]
    assert record["verdict"] == "holds" and record["evidence"] == ["measured"]
    assert record["artefact"].startswith("data/measured/speed: seconds of machine small-cpu, arm moe")


def test_same_bytes_again(desk):
    desk.judge()
    first = desk.out.read_bytes()
    desk.run()
    assert desk.out.read_bytes() == first


def test_another_post_can_be_quoted(desk, tmp_path):
    other = CLAIMS.replace("post: mixtral", "post: large").replace("race_", "large_")
    (tmp_path / "large.yaml").write_text(other)
    desk.others = [tmp_path / "large.yaml"]
    quoting = CLAIMS.replace("{claim: race_steps}", "{claim: large_steps}")
    desk.claims = quoting.replace("values:", "others: [large]\nvalues:", 1)
    assert desk.judge()["race_other"]["verdict"] == "holds"
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
    ("unit: steps, got: steps, ", "unit: tokens, got: steps, ", "units differ|another unit", "steps"),
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
    ("got: steps, rule: exact", "if: late", "decided in one way", "none"),
    ("got: steps, rule: exact", "got: steps, rule: exact, repeats: race_width", "decided in one way", "got, repeats"),
    ("got: steps, rule: exact", "if: late, repeats: race_width", "no place beside 'repeats'", "if"),
    ("got: steps, rule: exact", "repeats: race_width", "units differ", "steps and features"),
    ("got: steps, rule: exact", "repeats: race_order", "a number repeats a statement", "race_order"),
    ("got: steps, rule: exact", "repeats: race_again", "repeats no other", "race_again"),
    ("got: steps, rule: exact", "repeats: race_steps", "repeats no other", "race_steps"),
    ("got: steps, rule: exact", "got: steps, rule: exact, severity: large", "unknown word", "conclusion"),
    ("got: steps, rule: exact", "got: steps, rule: exact, second: stesp", "unknown value", "did you mean 'steps'?"),
    ("got: steps, rule: exact", "got: steps, rule: exact, rerun: {got: steps}", "'rule' is missing", "rerun"),
    ("got: steps, rule: exact", "got: steps, rule: exact, rerun: {got: steps, rule: exact, text: x}", "unknown key",
     "differs"),
    ("got: steps, rule: exact", "got: steps, rule: exact, nearest: '{n}'", "unknown number in braces", "none"),
    ("got: steps, rule: exact", "got: steps, rule: exact, note: '{'", "braces do not match", "race_steps"),
    ("got: steps, rule: exact", "got: steps, rule: exact, numbers: {n: {got: steps}}", "'unit' is missing",
     "numbers.n"),
    ("got: steps, rule: exact", "got: 'race[arm=dense].step', rule: exact", "do not increase", "race[arm=dense].step"),
    ("got: steps, rule: exact", "got: 'race[arm=dense, middle].step', rule: exact", "not a checkpoint", "last"),
    ("got: steps, rule: exact", "got: 'rice[arm=dense].step', rule: exact", "without a kind of evidence", "rice"),
    ("setting: true", "setting: false", "unknown setting", "true"),
    ("setting: true, got", "setting: true, if: late, got", "no place beside 'setting'", "if"),
    ("{kind: experiment, of", "{kind: guess, of", "unknown kind of evidence", "mathematics"),
    ("race: {kind: experiment", "rice: {kind: experiment", "unknown table", "did you mean 'mixtral/race'?"),
    ("      - {if: to less than half, got: last(course) < first(course) / 2}\n", "", "several readings", "two or more"),
    ("{if: to less than half, got", "{got", "'if' is missing", "reading: 1"),
    ("differs: the card}", "differs: ''}", "not a text", "rerun"),
    ("low: {got: min(perplexity)", "low: {got: perplexity", "shows one value", "numbers.low"),
    ("at {low} to", "at 25 to", "a number that the text does not show", "low"),
    ("- id: race_spread", "- id: race_steps", "id stands twice", "race_steps"),
    ("got: steps, rule: exact", "rule: exact", "needs key 'got'", "race_steps"),
    ("got: steps, rule: exact", "got: steps, rule: {same_as: {claim: race_width}}", "takes no key 'got'", "race_steps"),
    ("got: steps, rule: exact", "rule: {same_as: {claim: race_width}}", "units differ", "steps and features"),
    ("got: steps, rule: exact", "rule: {same_as: {claim: race_steps}}", "against itself", "race_steps"),
    ("got: steps, rule: exact", "rule: {same_as: {claim: race_order}}", "unknown claim", "race_order"),
    ("got: steps, rule: exact", "got: step, rule: exact", "unknown value: step", "did you mean 'steps'?"),
    ("got: steps, rule: exact", "got: steps + width, rule: exact", "units differ", "race_steps"),
    ("got: steps, rule: exact", "got: steps.real, rule: exact", "not allowed", "steps.real"),
    ("got: steps, rule: exact", "got: 'posted(race_order) * steps', rule: exact", "unknown claim", "race_order"),
    ("needs: a clock", "needs: a clock, rule: exact", "no place beside 'needs'", "race_seconds"),
    ("needs: a clock", "needs: a clock, repeats: race_steps", "decided in one way", "repeats, needs"),
    ("got: at_seed(perplexity, 7)\n", "got: perplexity\n", "compares one value", "at_seed"),
    ("got: last(course) - race[arm=dense, protocol=as_posted, first].val_perplexity", "got: course",
     "one value per seed", "race_falls"),
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
    ("steps: {table: race", "steps: {table: rice", "without a kind of evidence", "mixtral/rice"),
    ("steps: {table: race", "steps: {table: large/race", "without a kind of evidence", "large/race"),
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
            evidence: {{loads: {{kind: mathematics}}}}
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


def test_rows_of_runs_may_stand_in_any_order_of_runs(desk):
    """A run's own rows stay in theirs."""
    expected = desk.judge()
    desk.race = desk.race.sort_values("step", kind="stable")  # of all runs, one checkpoint after the other
    assert desk.judge() == expected
    desk.race = desk.race.sort_values("step", ascending=False, kind="stable")
    with pytest.raises(ClaimError, match="checkpoints do not increase"):
        desk.judge()


def test_rows_of_several_runs(desk):
    """Without a checkpoint column a run has rows, which are one value each by default and all of them on demand."""
    desk.judge()
    desk.schemas[0].write_text(SCHEMA.read_text().replace("  checkpoint: true\n", "", 1))
    desk.claims = re.sub(r"checkpoint: (last|-1)", "rows: all", CLAIMS)
    desk.claims = desk.claims.replace("as_posted}, column", "as_posted}, rows: all, column")
    desk.claims = desk.claims.replace("race[arm=dense, protocol=as_posted, first].val_perplexity", "first(course)")
    desk.claims = re.sub(r"(got: |/ |\()(perplexity|steps)\b", r"\1last(\2)", desk.claims)
    records = desk.judge()
    assert records["race_perplexity"]["got"] == 25.2 and records["race_steps"]["got"] == 12
    assert records["race_perplexity"]["artefact"].endswith("protocol as_posted, all rows")
    desk.claims = desk.claims.replace("rows: all,", "", 1)
    with pytest.raises(ClaimError, match="several rows"):
        desk.judge()


def test_the_example_of_the_documentation_is_judged():
    """By the committed tables and params."""
    text = (ROOT / "docs/claims.md").read_text()
    example = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1]
    records = committed("mixtral", example)
    assert {name: record["verdict"] for name, record in records.items()} == {
        "race_final_perplexity_dense": "holds",
        "race_opening_perplexity_dense": "holds",
        "race_model_width": "holds",
        "race_overtakes": "holds if",
        "router_aux_formula": "not checked",
        "race_spread": None,
    }
    assert records["race_final_perplexity_dense"]["rerun"]["verdict"] == "reproduced"


def committed(post: str, claims: str) -> dict[str, dict]:
    """The records of claims of a post, by the committed tables and params."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("workflow", "data", "results"):
            (root / name).symlink_to(ROOT / name)
        (root / "claims").mkdir()
        for other in (ROOT / "claims").glob("*.yaml"):
            shutil.copy(other, root / "claims")
        (root / f"claims/{post}.yaml").write_text(claims)
        needed = inventory.claims(root, post)
        document_ = document.read(
            root / f"claims/{post}.yaml", [root / f"claims/{other}.yaml" for other in needed.others]
        )
        params = {post: yaml.safe_load((ROOT / "params.yaml").read_text())[post]}
        schemas = [root / schema for schema in needed.schemas]
        files_of = [root / table for table in inventory.files_of(root, needed.tables, "results")]
        works = {path.stem: artefacts.read_work(path) for path in (root / work for work in needed.works)}
        found = judge.read_tables(document_, schemas, files_of, params)
        return {record["id"]: record for record in judge.judge(document_, found, params, works)}


def test_the_documentation_names_every_rule_function_and_key():
    text = (ROOT / "docs/claims.md").read_text()
    words = [*RULES, *RESERVED, *document.REQUIRED, *document.OPTIONAL, "others", "constant", "rows", "checkpoint"]
    words += [*document.EVIDENCE, *(str(each) for each in (*Verdict, *Severity)), "differs", "findings", "evidence"]
    plain = " ".join(text.split())
    assert [word for word in words if not re.search(rf"\b{word}\b", plain)] == []


@pytest.mark.parametrize("post", sorted(path.stem for path in (ROOT / "claims").glob("*.yaml")))
def test_every_claim_of_a_post_is_judged_and_can_be_defended(post):
    """By the committed tables, where the author of a post would look first."""
    records = committed(post, (ROOT / f"claims/{post}.yaml").read_text())
    assert {name: record["verdict"] for name, record in records.items()} == {
        record["id"]: record["verdict"] for record in files.read_json(ROOT / f"results/{post}/claims.json")
    }
    claims = [record for record in records.values() if record["kind"] == Kind.CLAIM]
    statements = [record["statement"] for record in claims]
    assert len(set(statements)) == len(statements), {text for text in statements if statements.count(text) > 1}
    for record in claims:
        if record["verdict"] == Verdict.DOES_NOT_HOLD:
            assert record["severity"], record["id"]
            if record["severity"] == Severity.CONCLUSION:
                assert record["nearest"] and record.get("second"), record["id"]
        if record["verdict"] == Verdict.NOT_REPRODUCED:
            assert record["differs"], record["id"]


@pytest.mark.parametrize("post", sorted(path.stem for path in (ROOT / "claims").glob("*.yaml")))
def test_every_number_of_a_post_has_a_claim_or_a_reason(post):
    coverage.check(ROOT / f"claims/{post}.numbers.csv", coverage.read_claims(ROOT / f"claims/{post}.yaml")[1])


@pytest.mark.slow
def test_ten_thousand_claims_take_less_than_ten_seconds(desk):
    """By hand, to see the seconds: pytest -m slow --durations=3 -k ten_thousand"""
    content = yaml.safe_load(CLAIMS)
    entries = content["claims"]
    content["claims"] = entries + [
        entry | {"id": f"{entry['id']}_{index}"} for index in range(10_000 // len(entries)) for entry in entries
    ]
    desk.claims = yaml.safe_dump(content)
    assert len(desk.judge()) > 9_900


def test_errors_are_of_the_claim_family(desk):
    desk.claims = CLAIMS.replace("rule: exact", "rule: exactly")
    with pytest.raises(PostproofError) as caught:
        desk.judge()
    assert caught.value.exit_code == 15 and caught.value.family == "claim"
    assert list(caught.value.context)[:2] == ["file", "claim"]
