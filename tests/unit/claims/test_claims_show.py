"""Verdicts as a reader sees them: on the terminal, in the README, on the page of a post."""

import subprocess
import sys
from argparse import ArgumentParser

import pytest

from postproof.claims import Kind, Severity, Verdict, pages, readme, show
from postproof.core import files
from postproof.core.errors import ArtefactError, UsageError


def record(name: str, verdict: str | None, **fields) -> dict:
    known = {"id": name, "kind": "claim", "post": "small", "where": "Result", "statement": f"What {name} is.",
             "posted": True, "got": None, "unit": None, "rule": "statement", "verdict": verdict, "reason": None,
             "condition": None, "needs": None, "note": None, "evidence": ["mathematics"], "of": None,
             "stages": {}}  # fmt: skip
    return known | fields


RECORDS = [
    record("a", "holds", posted="25.30", got=25.3079961, unit="perplexity", reason="25.307996 rounds to 25.31"),
    record("again", "holds", kind="repeat", posted="25.3", got=25.3079961, unit="perplexity", repeats="a"),
    record("width", "holds", kind="setting", posted="192", got=192, unit="features", where="Setup"),
    record("ratio", "not checked", posted="32.52", unit="1", needs="the author's card"),
    record("size", "not checked", posted="2", unit="GB", needs="the author's card", got=2.5),
    record("ahead", "does not hold", got=[False, False], reason="true in 0 of 2 runs", severity="conclusion",
           nearest="if it spoke of the end", second={"reason": "false", "holds": False}, note="A note."),
    record("steps", "does not hold", posted="12", got=12000, unit="steps", reason="we get 12000", severity="slip"),
    record("share", "not reproduced", posted="8,600", got=17200, unit="1", reason="off by 100 %", differs="the text",
           post="large"),
    record("tendency", "undecided", reason="both signs are possible",
           spread={"mean": 2.0, "interval": [-2.9, 6.9], "n": 3, "level": 0.95}, intervals=[0.95, 0.9]),
    record("when", "holds if", got=True, reason="true", condition="runs are alike",
           readings=[{"if": "runs are alike", "holds": True, "reason": "true"},
                     {"if": "they are not", "holds": False, "reason": "false"}]),
    record("both", "holds", posted="3", got=3, unit="steps", reason="we get 3",
           rerun={"verdict": "not reproduced", "got": 4, "differs": "the card", "expression": []}),
    record("seen", None, kind="finding", statement="Over five seeds it is 2 to 3.", posted=None),
]  # fmt: skip
WORST_FIRST = ["ahead", "steps", "share", "tendency", "ratio", "size", "when", "a", "both"]


def shown(capsys, path, *options) -> str:
    parser = ArgumentParser()
    show.add_arguments(parser)
    assert show.main(parser.parse_args([str(path), *options])) == 0
    return capsys.readouterr().out


@pytest.fixture
def path(tmp_path):
    files.write_json(tmp_path / "claims.json", RECORDS)
    return tmp_path / "claims.json"


def names(text: str) -> list[str]:
    words = [word for line in text.splitlines()[2:] for word in [line.split(" is.")[0].split("What ")[-1]]]
    return [word for word in words if word in WORST_FIRST]


def test_statements_are_shown_and_the_worst_come_first(path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = shown(capsys, path)
    assert names(text) == WORST_FIRST
    for words in ("12,000 steps", "2.5 GB predicted", "if runs are alike", "(slip)"):
        assert words in " ".join(text.split()), words
    reasons = {each["id"]: show.because(each) for each in RECORDS}
    assert reasons["share"] == "off by 100 %; what differs: the text"
    assert reasons["ahead"] == "would hold if it spoke of the end"  # the reason is what we get
    counts = "9 claims: 2 holds, 1 holds if, 2 not checked, 1 undecided, 1 not reproduced, 2 does not hold."
    assert " ".join(text.split()).endswith(
        f"{counts} Runs made again beside them: 1 not reproduced. Not counted: 1 finding, 1 repeat, 1 setting. "
        "Their verdicts rest on 2 intervals, of which 0.15 would miss by chance"
    )


@pytest.mark.parametrize(
    "options, found",
    [
        (["--verdict", "does not hold"], ["ahead", "steps"]),
        (["--verdict", "undecided", "not reproduced"], ["share", "tendency"]),
        (["--severity", "slip"], ["steps"]),
        (["--post", "large"], ["share"]),
        (["--post", "large", "small", "--verdict", "holds"], ["a", "both"]),
    ],
)
def test_filters(path, capsys, monkeypatch, options, found):
    monkeypatch.setenv("COLUMNS", "200")
    assert names(shown(capsys, path, *options)) == found


def test_ids_on_demand(path, capsys):
    assert "tendency" in shown(capsys, path, "--ids").split()


def test_a_post_without_verdicts_is_named(path, capsys):
    with pytest.raises(UsageError, match="no verdicts of this post") as error:
        shown(capsys, path, "--post", "larger")
    assert "large, small" in str(error.value)


@pytest.mark.parametrize("content", [{}, [{}], [1], [RECORDS[0] | {"verdict": "maybe"}], [RECORDS[0] | {"kind": "x"}]])
def test_not_a_file_of_verdicts(tmp_path, capsys, content):
    files.write_json(tmp_path / "claims.json", content)
    with pytest.raises(ArtefactError, match="not a file of verdicts"):
        shown(capsys, tmp_path / "claims.json")


def test_missing_file(tmp_path, capsys):
    with pytest.raises(ArtefactError, match="cannot read JSON"):
        shown(capsys, tmp_path / "none.json")


def test_showing_loads_no_numerical_library():
    code = "import sys, postproof.claims.show; print({'numpy', 'pandas', 'scipy', 'yaml', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


@pytest.mark.parametrize(
    "value, text",
    [(12, "12"), (207_920_037_888, "207,920,037,888"), (25.3079972, "25.307997"), (1.2e-9, "1.2e-09"), (0.25, "0.25")],
)
def test_numbers_are_everyday_ones(value, text):
    assert show.number(value, None) == text and show.number(value, "steps") == f"{text} steps"


def test_the_readme_has_the_rows_that_it_names_and_the_tally():
    before = "# Title\n<!-- claims: steps when ratio -->\nold\n<!-- end of claims -->\nmore\n"
    after = readme.filled_in(before, RECORDS)
    lines = after.splitlines()
    assert lines[2:8] == [
        "| the post says | | we get | verdict |",
        "|---|---|---|---|",
        "| What steps is. | 12 steps | 12,000 steps | **does not hold (slip)** |",
        "| What when is. | so | true | **holds if** runs are alike |",
        "| What ratio is. | 32.52 |  | **not checked** |",
        "",
    ]
    assert "| [large](results/large/README.md) | 1 |  |  |  |  | 1 |  |" in lines
    assert readme.filled_in(after, RECORDS) == after
    with pytest.raises(ArtefactError, match="no such claim"):
        readme.filled_in(before.replace("steps", "stesp"), RECORDS)


CHARTS = {
    "course": {
        "caption": "The course.",
        "code": "src/postproof/small/figures/course.py",
        "tables": ["small/course"],
        "measured": [],
    },
    "other": {
        "caption": "Another.",
        "code": "src/postproof/small/figures/other.py",
        "tables": ["small/other"],
        "measured": [],
    },
}


def test_a_page_has_the_sections_of_the_post_with_their_charts_and_claims():
    records = [RECORDS[2], *RECORDS[:2], *RECORDS[3:]]
    records[1] = records[1] | {"stages": {"results/small/metrics/course.csv": "course_table"}}
    text = pages.page("A small post", records, CHARTS)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["# A small post", "## Setup", "## Result", "## More charts", "## The tables behind it"]
    result = text.split("## Result")[1].split("## More charts")[0]
    assert "![The course](figures/course.png)" in result and "figures/other.png" not in result
    for each in show.counted(records):
        assert each["statement"] in result
    assert "- Over five seeds it is 2 to 3." in result and "again: holds" in result
    assert "false if they are not" in result and "computed in another way: false" in result
    assert "the run made again: not reproduced (4 steps), what differs: the card" in result
    assert "`dvc repro course_table`" in text


def test_a_cell_stays_a_cell():
    text = pages.page("A post", [record("bar", "holds", statement="A | B\nC", got=True, reason="true")], {})
    row = next(line for line in text.splitlines() if "A \\| B C" in line)
    assert row.replace("\\|", "").count("|") == 6


def test_every_verdict_kind_and_severity_is_of_one_word_each():
    for words in (Verdict, Kind, Severity):
        assert len({str(word) for word in words}) == len(words)
