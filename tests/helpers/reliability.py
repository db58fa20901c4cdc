"""docs/reliability.md, built from a run of the tests: which fault was caused, to what, how often, and what survived.

A test with the mark `fault(name, to)` counts as one try of this fault, or as many as it tells the fixture `survived`.
`pytest tests/faults -m "not gpu" --reliability` runs them all, slow ones too, and writes the page.
"""

from __future__ import annotations

import collections
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
TRIES = "tries of a fault"  # property of a test, which its report carries to whoever gathers them
INTRODUCTION = """\
# Reliability

Made by `pytest tests/faults -m "not gpu" --reliability`; not for editing. Each fault is really caused, and each row
counts the tries of that run. A try is survived if afterwards every file is whole, the old one or the new one; if what
failed said so in a short message with what to do; if the next run, undisturbed, ends with the bytes of one that nothing
ever disturbed; and if nothing that was read was executed. For input that is refused: if nothing was touched.

- *Killed*, *EIO*, *ENOSPC*: `strace` does it at a system call (`rename`, `fsync`, `unlink`, `write`, `open` to create,
  `mkdir`, `chmod`), once, or at that call and all later ones of its kind. Commands with few calls get every fault at
  every call; of the others a choice is made that meets each kind of call.
- *Power cut*: on a file system of our own, which forgets what was not flushed, and keeps any part of it.
- A test that the machine cannot run (no `strace`, no `/dev/fuse`, not root) is skipped and is in no row.

"""


def pytest_addoption(parser) -> None:
    parser.addoption("--reliability", action="store_true", help=f"write {PAGE.name} from what the tests of faults did")


def pytest_configure(config) -> None:
    config.stash[ROWS] = collections.defaultdict(lambda: [0, 0])


ROWS = pytest.StashKey()


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
    """Adds up what reports say, of this process and of its workers."""

    def __init__(self, config):
        self.rows = config.stash[ROWS]

    def pytest_runtest_logreport(self, report) -> None:
        if report.when != "call" or report.skipped:
            return
        for name, value in report.user_properties:
            if name == TRIES:
                fault, to, tries = value
                self.rows[fault, to][0] += tries
                self.rows[fault, to][1] += tries if report.passed else 0


def pytest_sessionstart(session) -> None:
    session.config.pluginmanager.register(_Gatherer(session.config))


def pytest_sessionfinish(session) -> None:
    is_worker = hasattr(session.config, "workerinput")
    if session.config.getoption("reliability") and not is_worker:
        PAGE.write_text(page(session.config.stash[ROWS]), encoding="utf-8")


def page(rows: dict[tuple[str, str], list[int]]) -> str:
    """The text of the page; `rows` has tries and survived by fault and what it hit."""
    lines = ["| fault | to | tries | survived |", "|---|---|---:|---:|"]
    lines += [f"| {fault} | {to} | {tries} | {well} |" for (fault, to), (tries, well) in sorted(rows.items())]
    tries, well = (sum(counts[at] for counts in rows.values()) for at in (0, 1))
    return f"{INTRODUCTION}{tries} tries, {well} survived.\n\n" + "\n".join(lines) + "\n"


def faults_of(text: str) -> set[str]:
    """The names of the faults that a page has."""
    cells = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {row[0].removeprefix("| ") for row in cells[1:]}
