"""Posts, charts and what claims are judged by are found in the tree."""

import os
from pathlib import Path

import pytest

from postproof.core.errors import ClaimError, EngineError
from postproof.engines import inventory
from postproof.engines.codegraph import Sources
from postproof.engines.inventory import Chart

ROOT = Path(__file__).parents[3]
COMMAND = "\n\ndef add_arguments(parser):\n    pass\n\n\ndef main(args):\n    pass\n"
CHART = "src/postproof/coin/figures/flip.py"


@pytest.fixture
def tree(tmp_path):
    """Lays files in a tree with the post coin; gives its root."""

    def lay(files: dict[str, str]) -> Path:
        packages = {f"src/postproof/{name}__init__.py": "" for name in ("", "coin/", "coin/figures/")}
        for name, text in (packages | {"claims/coin.yaml": "post: coin\n"} | files).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return lay


def charts(root: Path) -> list[Chart]:
    return inventory.charts(root, Sources.read(root))


def test_a_post_is_a_file_of_claims(tree):
    root = tree(
        {"claims/dice.yaml": "", "claims/drafts/bandits.yaml": "", "claims/notes.txt": "", "src/postproof/x/a.py": ""}
    )
    assert inventory.posts(root) == ["coin", "dice"]


def test_rules_of_a_post_are_the_files_of_its_name(tree):
    names = ["coin", "coin_more", "coins", "data", "a_coin", "dice"]
    root = tree({f"workflow/rules/{name}.smk": "" for name in names})
    assert inventory.rule_files(root, "coin") == ["workflow/rules/coin.smk", "workflow/rules/coin_more.smk"]


def test_a_chart_says_what_it_draws(tree):
    root = tree({CHART: f'"""Flips."""\n\nTABLES = ("coin/flip", "coin/other"){COMMAND}'})
    assert charts(root) == [Chart("coin", "flip", ("coin/flip", "coin/other"), (), "Flips.")]


@pytest.mark.parametrize("tables", ['("coin/flip",)', '["coin/flip"]', '"coin/flip"', '(\n    "coin/"\n    "flip",\n)'])
def test_names_of_tables_may_be_written_in_several_ways(tree, tables):
    root = tree({CHART: f'"""Flips."""\n\nTABLES = {tables}{COMMAND}'})
    assert charts(root)[0].tables == ("coin/flip",)


def test_a_measurement_is_drawn_where_a_machine_has_its_table(tree):
    root = tree({CHART: f'"""Speed."""\n\nMEASURED = ("speed",){COMMAND}', "data/measured/other/a.csv": ""})
    assert charts(root) == []
    root = tree({f"data/measured/speed/{name}": "" for name in ("b.csv", "b.json", "a.csv", "a.json", "notes.txt")})
    [chart] = charts(root)
    assert chart.measured == ("data/measured/speed/a.csv", "data/measured/speed/b.csv")
    assert chart.about == ["data/measured/speed/a.json", "data/measured/speed/b.json"]


def test_a_chart_of_tables_is_drawn_without_a_measurement_too(tree):
    root = tree({CHART: f'"""Speed."""\n\nTABLES = ("coin/flip",)\nMEASURED = ("speed",){COMMAND}'})
    assert charts(root) == [Chart("coin", "flip", ("coin/flip",), (), "Speed.")]


@pytest.mark.parametrize(
    "names", ["", "TABLES = ()", "TABLES = (1,)", "TABLES = tuple('a')", "tables = ('coin/flip',)"]
)
def test_a_chart_that_names_no_tables_is_an_error_that_names_it(tree, names):
    with pytest.raises(EngineError, match=CHART):
        charts(tree({CHART: f'"""Flips."""\n\n{names}{COMMAND}'}))


def test_what_is_no_command_is_no_chart(tree):
    root = tree({CHART: "def axes():\n    pass\n", "src/postproof/dice/figures/roll.py": f"TABLES = ('a/b',){COMMAND}"})
    assert charts(root) == [], "neither a module that charts share nor one of what is no post"


CAPTIONS = {
    '"""Flips."""': "Flips.",
    '"""Chart: flips."""': "flips.",
    '"""Flips\nover time.\n\nMore on that.\n"""': "Flips over time.",
    "": "",
}


@pytest.mark.parametrize("docstring, caption", CAPTIONS.items())
def test_the_first_paragraph_of_the_docstring_is_the_caption(tree, docstring, caption):
    root = tree({CHART: f'{docstring}\n\nTABLES = ("coin/flip",){COMMAND}'})
    assert charts(root)[0].caption == caption


def test_charts_come_by_post_and_name(tree):
    text = f'TABLES = ("coin/flip",){COMMAND}'
    names = ["coin/figures/b", "coin/figures/a", "also/figures/c"]
    root = tree({"claims/also.yaml": ""} | {f"src/postproof/{name}.py": text for name in names})
    assert [(chart.post, chart.name) for chart in charts(root)] == [("also", "c"), ("coin", "a"), ("coin", "b")]


SCHEMAS = {
    f"workflow/schemas/tables/{name}.yaml": ""
    for name in ("coin/flip", "coin/posted_flip", "coin/toss", "dice/roll", "published/models")
}


def test_claims_are_judged_by_the_tables_that_their_values_name(tree):
    text = """
post: coin
title: Coins
others: [dice]
values:
  b: {table: toss, column: mean}
  a: {table: flip, column: mean}
  again: {table: flip, column: draw}
  of_dice: {table: dice/roll, column: sum}
  known: {table: models, column: layers}
  number: {param: coin.flip.draws, unit: draws}
  by_somebody: {figure: paper.mean}
claims:
  - {id: flip_mean, got: "posted_flip[arm=fair, last].mean - published[book].mean"}
"""
    works = {"data/published/paper.yaml": "", "data/published/book.yaml": ""}
    root = tree({"claims/coin.yaml": text} | SCHEMAS | works)
    assert inventory.claims(root, "coin") == inventory.Claims(
        "Coins",
        ("coin/flip", "coin/models", "coin/posted_flip", "coin/toss", "dice/roll"),
        tuple(
            f"workflow/schemas/tables/{name}.yaml"
            for name in ("coin/flip", "published/models", "coin/posted_flip", "coin/toss", "dice/roll")
        ),
        ("data/published/book.yaml", "data/published/paper.yaml"),
        ("dice",),
    )


def test_a_work_that_is_not_there_is_named(tree):
    with pytest.raises(ClaimError, match="no such published work") as error:
        inventory.claims(tree({"claims/coin.yaml": "values: {a: {figure: paper.mean}}"}), "coin")
    assert "data/published/paper.yaml" in str(error.value)


def test_tables_stand_where_their_names_say(tree):
    root = tree({f"data/measured/speed/{machine}.csv": "" for machine in ("small", "large")})
    names = ["coin/flip", "coin/posted_flip", "coin/measured_speed"]
    assert inventory.files_of(root, names, "results-fast") == [
        "results-fast/coin/metrics/flip.csv", "data/posted/coin/flip.csv",
        "data/measured/speed/large.csv", "data/measured/speed/small.csv"]  # fmt: skip
    assert inventory.files_of(root, ["coin/measured_none"], "results") == []


@pytest.mark.parametrize("text", ["post: coin\n", "post: coin\nvalues:\nothers:\n", "values: {a: {param: x}, b: 3}\n"])
def test_claims_may_need_no_table(tree, text):
    assert inventory.claims(tree({"claims/coin.yaml": text}), "coin") == inventory.Claims("", (), (), (), ())


@pytest.mark.parametrize("text", ["", "[", "- a\n", "3\n", "a: 1\n b: 2\n", "values: {a: {table: none}}\n"])
def test_claims_that_cannot_be_read_are_an_error_that_names_the_file(tree, text):
    with pytest.raises(ClaimError, match="coin.yaml"):
        inventory.claims(tree({"claims/coin.yaml": text} | SCHEMAS), "coin")


@pytest.mark.parametrize("text", ["values: [a]\n", "values: 3\n", "others: dice\n", "others: 3\n"])
def test_what_else_is_wrong_with_claims_is_left_to_the_judge_or_an_error_of_ours(tree, text):
    try:
        assert set(inventory.claims(tree({"claims/coin.yaml": text}), "coin").others) <= {"dice"}
    except ClaimError:
        pass


def test_the_project_itself_is_read_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = charts(ROOT)
    assert {chart.post for chart in found} == set(inventory.posts(ROOT)) and all(chart.caption for chart in found)
    for chart in found:
        assert all(inventory.schema_of(ROOT, table) for table in chart.tables)
        assert all(os.path.isfile(ROOT / path) for path in (*chart.measured, *chart.about))
    for post in inventory.posts(ROOT):
        assert inventory.rule_files(ROOT, post) and inventory.claims(ROOT, post).tables


def test_a_post_whose_page_would_be_another_one_is_refused():
    inventory.check_names(["coin", "families_of_coins"], ["index", "families"])
    with pytest.raises(ClaimError) as raised:
        inventory.check_names(["coin", "families"], ["index", "families"])
    assert raised.value.context["file"] == "claims/families.yaml"


@pytest.mark.parametrize("name", ["Coin", "coin copy", "coin (1)", "1coin", "größe", "coin-toss"])
def test_a_name_that_some_disk_or_path_could_not_tell_is_refused(tree, name):
    with pytest.raises(ClaimError) as raised:
        inventory.posts(tree({f"claims/{name}.yaml": "post: coin\n"}))
    assert raised.value.context["file"] == Path(f"claims/{name}.yaml") and "small letters" in str(raised.value)


def test_a_chart_whose_name_differs_from_another_in_case_is_refused(tree):
    text = f'"""Flips."""\n\nTABLES = ("coin/flip",){COMMAND}'
    root = tree({CHART: text, CHART.replace("flip", "Flip"): text})
    with pytest.raises(EngineError) as raised:
        charts(root)
    assert raised.value.context["file"].endswith("figures/Flip.py") and raised.value.context["value"] == "Flip"


def test_what_editors_and_file_managers_leave_is_nothing(tree):
    root = tree({"claims/._coin.yaml": "\0", "claims/coin.yaml~": "", "data/measured/toss/._a.csv": "\0",
                 "data/measured/toss/a.csv": ""})  # fmt: skip
    os.symlink("nobody@nowhere.1:2", root / "claims/.#coin.yaml")
    assert inventory.posts(root) == ["coin"]
    assert inventory.files_of(root, ["coin/measured_toss"], "results") == ["data/measured/toss/a.csv"]
