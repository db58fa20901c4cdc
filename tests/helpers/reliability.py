"""docs/reliability.md, built from a run of the tests: which fault was caused, to what, how often, and what survived.

A test with the mark `fault(name, to)` counts as one try of this fault, or as many as it tells the fixture `survived`.
`pytest tests/faults -m "not gpu" --reliability` runs them all, slow ones too, and writes the page.
"""

from __future__ import annotations

import collections
import csv
import datetime
import io
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from postproof.core import files

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
KNOWN = PAGE.with_suffix(".csv")  # a row for each test, as it last ran: the page can be made in several sessions
TRIES = "tries of a fault"  # property of a test, which its report carries to whoever gathers them
GATHERER = pytest.StashKey()
INTRODUCTION = """\
# Reliability

Made by `pytest tests/faults -m "not gpu" --reliability` from the tests in `tests/faults/`; not for editing. Each fault
is really caused, and each row counts the tries when its tests last ran: test by test, with its commit, in
[reliability.csv](reliability.csv). A try is survived if afterwards every file is
whole, the old one or the new one; if what failed said so in a short message; if the next run, undisturbed, ends with
the bytes of one that nothing ever disturbed; and if nothing that was read was executed. For input that is refused: if
nothing was touched.

- *Killed*, *EIO*, *ENOSPC*: `strace` does it at a system call (`rename`, `fsync`, `unlink`, `write`, `read`, `open` to
  create, `mkdir`, `chmod`), once, or at that call and all later ones of its kind; at a choice of calls, in even steps
  over all.
- *At each site*: what a loop does to each of many files is one site. `make test-all`, which takes hours, has faults at
  the first and the last call of each: every fault in a job, killed and one error by turns in an engine. Its tests are
  parts, which can be run one by one.
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
    commit: str = ""
    date: str = ""


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
        self.now = commit(), datetime.datetime.now(datetime.UTC).date().isoformat()

    def pytest_runtest_logreport(self, report) -> None:
        if report.when != "call" or report.skipped:
            return
        for name, value in report.user_properties:
            if name == TRIES:
                fault, to, tries = value
                before = self.rows.get(report.nodeid, Row(fault, to, 0, 0))
                well = tries if report.passed else 0
                self.rows[report.nodeid] = Row(fault, to, before.tries + tries, before.survived + well, *self.now)


def pytest_sessionstart(session) -> None:
    session.config.stash[GATHERER] = gatherer = _Gatherer()
    session.config.pluginmanager.register(gatherer)


def pytest_sessionfinish(session) -> None:
    is_worker = hasattr(session.config, "workerinput")
    if session.config.getoption("reliability") and not is_worker:
        rows = known() | session.config.stash[GATHERER].rows
        table = io.StringIO()
        lines = csv.writer(table, lineterminator="\n")
        lines.writerow(["test", *Row._fields])
        lines.writerows([test, *row] for test, row in sorted(rows.items()))
        files.write_text(KNOWN, table.getvalue())
        files.write_text(PAGE, page(rows.values()))


def commit() -> str:
    """What is checked out; with a + where tracked files are changed."""
    git = ["git", "-C", str(PAGE.parent)]
    head, changed = (
        subprocess.run([*git, *words], capture_output=True, text=True).stdout.strip()
        for words in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
    )
    return head + ("+" if changed else "")


def known() -> dict[str, Row]:
    """What earlier sessions noted, of tests that there are still."""
    if not KNOWN.is_file():
        return {}
    with KNOWN.open(encoding="utf-8", newline="") as file:
        rows = {test: Row(fault, to, int(tries), int(survived), *run)
                for test, fault, to, tries, survived, *run in [*csv.reader(file)][1:]}  # fmt: skip
    return {test: row for test, row in rows.items() if is_defined(test)}


def is_defined(test: str) -> bool:
    """Whether the file of a test has a function of its name."""
    path, _, name = test.partition("::")
    file = PAGE.parents[1] / path
    function = re.escape(name.partition("[")[0])
    return file.is_file() and re.search(rf"^def {function}\(", file.read_text(encoding="utf-8"), re.M) is not None


def page(rows: Iterable[Row]) -> str:
    """The text of the page, with a line for each fault and what it hit. Raises ValueError without rows."""
    rows = list(rows)
    if not rows:
        raise ValueError("no test of a fault has run")
    found: dict[tuple[str, str], list[int]] = collections.defaultdict(lambda: [0, 0])
    for row in rows:
        found[row.fault, row.to][0] += row.tries
        found[row.fault, row.to][1] += row.survived
    lines = ["| fault | to | tries | survived |", "|---|---|---:|---:|"]
    lines += [f"| {fault} | {to} | {tries} | {well} |" for (fault, to), (tries, well) in sorted(found.items())]
    tries, well = (sum(counts[at] for counts in found.values()) for at in (0, 1))
    dates = sorted({row.date for row in rows})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"{INTRODUCTION}{tries} tries, {well} survived; run on {when}.\n\n" + "\n".join(lines) + "\n"


def faults_of(text: str) -> set[str]:
    """The names of the faults that a page has."""
    cells = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {row[0].removeprefix("| ") for row in cells[1:]}
