"""docs/reliability.md, built from a run of the tests: which fault was caused, to what, how often, and what survived.

A test with the mark `fault(name, to)` counts as one try of this fault, or as many as it tells the fixture `survived`.
`pytest tests/faults -m "not gpu" --reliability` runs them all, slow ones too, and writes the page.
"""

from __future__ import annotations

import collections
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from postproof.core import files

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
KNOWN = PAGE.parents[1] / "build/reliability.jsonl"  # a line for each test: so the page can be made in several sessions
TRIES = "tries of a fault"  # property of a test, which its report carries to whoever gathers them
GATHERER = pytest.StashKey()
INTRODUCTION = """\
# Reliability

Made by `pytest tests/faults -m "not gpu" --reliability` from the tests in `tests/faults/`; not for editing. Each fault
is really caused, and each row counts the tries when its tests last ran. A try is survived if afterwards every file is
whole, the old one or the new one; if what failed said so in a short message; if the next run, undisturbed, ends with
the bytes of one that nothing ever disturbed; and if nothing that was read was executed. For input that is refused: if
nothing was touched.

- *Killed*, *EIO*, *ENOSPC*: `strace` does it at a system call (`rename`, `fsync`, `unlink`, `write`, `read`, `open` to
  create, `mkdir`, `chmod`), once, or at that call and all later ones of its kind. What a loop does to each of many
  files is one *site*: `make test-all` takes the first and the last call of each, with every fault in a job, and killed
  and one error by turns in an engine. Other runs take a choice, in even steps over all calls.
- *Power cut*: on a file system of our own, which forgets what was not flushed, and keeps any part of it.
- *Any value*, *any text*, *any bytes*: a try is a test with some hundred inputs that hypothesis makes.
- Snakemake (9.27) puts the old output of a failed job back by copying, or deletes it where the disk took no backup. An
  output that is gone or cut off by that counts as survived if it is open work to both engines and its bytes are kept.
- A test that the machine cannot run (no `strace`, no `/dev/fuse`, not root) is skipped and is in no row.

"""


class Row(NamedTuple):
    """What a test did when it last ran."""

    fault: str
    to: str
    tries: int
    survived: int


def pytest_addoption(parser) -> None:
    parser.addoption("--reliability", action="store_true", help=f"write {PAGE.name} from what the tests of faults did")


@pytest.fixture
def survived(request):
    """Tells how many tries the test makes, if not one; `to` in place of the mark's."""

    def survived(tries: int, to: str = "") -> None:
        [mark] = [*request.node.iter_markers("fault")][:1]
        request.node.user_properties.append((TRIES, (mark.args[0], to or mark.args[1], tries)))

    return survived


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    mark = item.get_closest_marker("fault")
    if mark is not None and call.when == "call" and TRIES not in dict(item.user_properties):
        item.user_properties.append((TRIES, (*mark.args, 1)))
        outcome.get_result().user_properties = list(item.user_properties)


class _Gatherer:
    """Notes what reports say, of this process and of its workers: a row for each test."""

    def __init__(self):
        self.rows: dict[str, Row] = {}

    def pytest_runtest_logreport(self, report) -> None:
        if report.when != "call" or report.skipped:
            return
        for name, value in report.user_properties:
            if name == TRIES:
                fault, to, tries = value
                before = self.rows.get(report.nodeid, Row(fault, to, 0, 0))
                well = tries if report.passed else 0
                self.rows[report.nodeid] = Row(fault, to, before.tries + tries, before.survived + well)


def pytest_sessionstart(session) -> None:
    session.config.stash[GATHERER] = gatherer = _Gatherer()
    session.config.pluginmanager.register(gatherer)


def pytest_sessionfinish(session) -> None:
    is_worker = hasattr(session.config, "workerinput")
    if session.config.getoption("reliability") and not is_worker:
        rows = known() | session.config.stash[GATHERER].rows
        lines = [json.dumps([test, *row]) for test, row in sorted(rows.items())]
        files.write_text(KNOWN, "\n".join(lines) + "\n")
        files.write_text(PAGE, page(rows.values()))


def known() -> dict[str, Row]:
    """What earlier sessions noted, by test."""
    if not KNOWN.is_file():
        return {}
    entries = map(json.loads, KNOWN.read_text(encoding="utf-8").splitlines())
    return {test: Row(*row) for test, *row in entries}


def page(rows: Iterable[Row]) -> str:
    """The text of the page, with a line for each fault and what it hit."""
    found: dict[tuple[str, str], list[int]] = collections.defaultdict(lambda: [0, 0])
    for row in rows:
        found[row.fault, row.to][0] += row.tries
        found[row.fault, row.to][1] += row.survived
    lines = ["| fault | to | tries | survived |", "|---|---|---:|---:|"]
    lines += [f"| {fault} | {to} | {tries} | {well} |" for (fault, to), (tries, well) in sorted(found.items())]
    tries, well = (sum(counts[at] for counts in found.values()) for at in (0, 1))
    return f"{INTRODUCTION}{tries} tries, {well} survived.\n\n" + "\n".join(lines) + "\n"


def faults_of(text: str) -> set[str]:
    """The names of the faults that a page has."""
    cells = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {row[0].removeprefix("| ") for row in cells[1:]}
