"""What changed since a commit, found in a small repository: every change is named, and nothing else."""

import html
import json
import re

import pytest

from postproof import cli
from postproof.core.errors import EngineError, UsageError
from postproof.engines import diff
from workflow_helpers import Checkout

CLAIM = {
    "id": "walk_end", "kind": "claim", "post": "mixtral", "where": "End", "statement": "The walk ends at <b>3</b>.",
    "posted": 3, "got": 3, "unit": "1", "rule": "exact", "verdict": "holds", "reason": "3", "condition": None,
    "severity": None,
}  # fmt: skip
# Of the schema mixtral/race: arm, seed, protocol and step tell rows apart.
TABLE = """arm,seed,protocol,step,val_loss,val_perplexity
dense,7,as_posted,1,4.0,54.6
dense,7,as_posted,2,3.0,20.1
moe,7,as_posted,1,2.0,7.4
"""


@pytest.fixture(params=[".", "in/a larger one"])
def checkout(request, tmp_path, monkeypatch) -> Checkout:
    """In a repository of its own, or as a folder of another."""
    found = Checkout(tmp_path / request.param)
    for path, text in {
        "results/mixtral/metrics/race.csv": TABLE,
        "results/mixtral/claims.json": json.dumps([CLAIM]),
        "results/mixtral/figures/race.svg": "<svg>old</svg>",
        "results/mixtral/figures/same.svg": "<svg>same</svg>",
    }.items():
        found.append(path, text)
    Checkout(tmp_path).commit("results")
    monkeypatch.chdir(found.path)
    return found


def changed(checkout) -> list[diff.File]:
    return list(diff.changes(checkout.path, diff.named(checkout.path, "HEAD")))


def test_where_git_refuses_it_is_said_why(checkout, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # as in another user's clone
    with pytest.raises(EngineError) as raised:
        changed(checkout)
    assert "ownership" in raised.value.context["git_said"]


def test_what_an_editor_left_is_no_table(checkout):
    checkout.append("results/mixtral/metrics/._race.csv", "\0")
    assert diff.of(changed(checkout), "metrics/[!.]*.csv") == []


def test_nothing_changed(checkout):
    assert changed(checkout) == []


def test_rows_are_told_apart_by_their_names_not_by_their_place(checkout):
    table = "results/mixtral/metrics/race.csv"
    header, first, second, third = TABLE.splitlines()
    (checkout.path / table).write_text("\n".join([header, third, second.replace("3.0,20.1", "3.5,20.1"), first, ""]))
    [file] = changed(checkout)
    assert diff.numbers_of(file) == [
        diff.Numbers("mixtral/race", "val_loss", "1 of 3", "3", "3.5", "arm dense, seed 7, protocol as_posted, step 2")
    ]


def test_the_largest_change_of_a_column_is_shown(checkout):
    checkout.replace("results/mixtral/metrics/race.csv", "4.0,54.6", "4.1,54.6")
    checkout.replace("results/mixtral/metrics/race.csv", "2.0,7.4", "1.0,7.4")
    [numbers] = diff.numbers_of(*changed(checkout))
    assert (numbers.cells, numbers.before, numbers.now) == ("2 of 3", "2", "1") and "moe" in numbers.where


def test_rows_and_columns_that_came_or_went_are_said(checkout):
    table = checkout.path / "results/mixtral/metrics/race.csv"
    table.write_text(
        "arm,seed,protocol,step,val_loss,tokens_seen\ndense,7,as_posted,1,4.0,5\nmoe,8,as_posted,1,1.0,5\n"
    )
    found = {row.column: row for row in diff.numbers_of(*changed(checkout))}
    assert found.keys() == {"rows", "val_perplexity", "tokens_seen"}
    assert (found["rows"].cells, found["rows"].before, found["rows"].now) == ("1 new, 2 gone", "3", "2")
    assert (found["val_perplexity"].cells, found["tokens_seen"].cells) == ("gone", "new")


def test_verdicts_and_what_we_get(checkout):
    claims = checkout.path / "results/mixtral/claims.json"
    claims.write_text(json.dumps([CLAIM | {"got": 4, "verdict": "does not hold", "severity": "number"},
                                  CLAIM | {"id": "walk_start"}]))  # fmt: skip
    assert [(row.before, row.now) for row in diff.verdicts_of(*changed(checkout))] == [
        ("holds: 3", "does not hold (number): 4"),
        ("", "holds: 3"),
    ]


def test_files_that_are_not_in_git_yet_and_those_deleted(checkout):
    checkout.append("results/mdp/figures/new.svg", "<svg>new</svg>")
    (checkout.path / "results/mixtral/figures/race.svg").unlink()
    assert {(file.name, file.change) for file in changed(checkout)} == {("mdp/new", "new"), ("mixtral/race", "gone")}


def test_the_page_stands_alone_and_runs_nothing(checkout, capsys):
    (checkout.path / "results/mixtral/figures/race.svg").write_text("<svg>new</svg>")
    checkout.replace("results/mixtral/claims.json", '"got": 3', '"got": 5')
    assert cli.main(["diff"]) == 0 and "diff.html" in capsys.readouterr().out
    page = (checkout.path / "build/diff.html").read_text()
    assert "The walk ends at <b>" not in page and html.escape(CLAIM["statement"]) in page
    assert re.findall(r"(?:src|href)=[\"'](?!data:)", page) == [] and page.count("data:image/svg+xml") == 2
    assert "same.svg" not in page


def test_a_commit_that_is_not_there_is_a_usage_error(checkout):
    for name in ("nonsense", "--output=x", ""):
        with pytest.raises(UsageError, match="no such commit"):
            diff.named(checkout.path, name)
