"""The table of verdicts on the terminal."""

import subprocess
import sys
from argparse import ArgumentParser

import pytest

from postproof.claims import readme, show
from postproof.core import files
from postproof.core.errors import ArtefactError

RECORDS = [
    {"id": "a", "posted": "25.30", "got": 25.3079961, "reason": "...", "unit": "perplexity", "rule": "",
     "verdict": "holds", "condition": None},
    {"id": "again", "posted": "25.3", "got": "25.30", "reason": "...", "unit": "perplexity", "rule": "same_as",
     "verdict": "holds", "condition": None},
    {"id": "steps", "posted": "12", "got": 12, "reason": "...", "unit": "steps", "rule": "", "verdict": "holds",
     "condition": None},
    {"id": "ratio", "posted": "32.52", "got": None, "reason": None, "unit": "1", "rule": "", "verdict": "not checked",
     "condition": None},
    {"id": "ahead", "posted": True, "got": [True, False], "unit": None, "rule": "", "verdict": "does not hold",
     "reason": "true in 1 of 2 runs", "condition": "at the end"},
    {"id": "spread", "posted": "4.3", "got": [1.0, 2.0, 3.0], "unit": "perplexity", "rule": "", "verdict": "holds if",
     "reason": "...", "spread": {"mean": 2.0, "interval": [-2.96826, 6.96826]}, "condition": "runs are alike"},
]  # fmt: skip


def show_records(path, *options):
    parser = ArgumentParser()
    show.add_arguments(parser)
    return show.main(parser.parse_args([*options, str(path)]))


def test_table(tmp_path, capsys):
    files.write_json(tmp_path / "claims.json", RECORDS)
    assert show_records(tmp_path / "claims.json") == 0
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "claim    the post says     we get                          verdict        if",
        "-------  ----------------  ------------------------------  -------------  --------------",
        "a        25.30 perplexity  25.307996 perplexity            holds",
        "again    25.3 perplexity   25.30 perplexity (post)         holds",
        "steps    12 steps          12 steps                        holds",
        "ratio    32.52                                             not checked",
        "ahead    true              true in 1 of 2 runs             does not hold",
        "spread   4.3 perplexity    2 perplexity (-2.968 to 6.968)  holds if       runs are alike",
        "",
        "6 claims: 3 holds, 1 holds if, 1 does not hold, 1 not checked",
    ]


def test_one_verdict_and_the_counts_of_all(tmp_path, capsys):
    files.write_json(tmp_path / "claims.json", RECORDS)
    show_records(tmp_path / "claims.json", "--verdict", "does not hold")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:-2]] == ["ahead"]
    assert lines[-1].startswith("6 claims")


@pytest.mark.parametrize("content", [{}, [{}], [1], [RECORDS[0] | {"verdict": "maybe"}]])
def test_not_a_file_of_verdicts(tmp_path, content):
    files.write_json(tmp_path / "claims.json", content)
    with pytest.raises(ArtefactError, match="not a file of verdicts"):
        show_records(tmp_path / "claims.json")


def test_missing_file(tmp_path):
    with pytest.raises(ArtefactError, match="cannot read JSON"):
        show_records(tmp_path / "none.json")


def test_showing_loads_no_numerical_library():
    code = "import sys, postproof.claims.show; print({'numpy', 'pandas', 'scipy', 'yaml', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_the_readme_has_the_same_cells():
    before = "# Title\n<!-- claims: steps spread ratio -->\nold\n<!-- end of claims -->\nmore\n"
    records = [record | {"statement": f"What {record['id']} is."} for record in RECORDS]
    after = readme.filled_in(before, records)
    assert after.splitlines()[2:8] == [
        "| claim | the post says | we get | verdict |",
        "|---|---|---|---|",
        "| What steps is. | 12 steps | 12 steps | **holds** |",
        "| What spread is. | 4.3 perplexity | 2 perplexity (-2.968 to 6.968) | **holds if** runs are alike |",
        "| What ratio is. | 32.52 |  | **not checked** |",
        "",
    ]
    assert readme.filled_in(after, records) == after
