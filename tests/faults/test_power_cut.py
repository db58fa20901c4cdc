"""The power is cut while a job or a command writes: whatever reached the disk, files are whole, the next run the same.

The file system is one of the tests' own (tests/helpers/power_cut.py): it keeps any part of what was not flushed.
"""

import os
import shutil
from pathlib import Path

import pytest

import injection
import power_cut
from engine_commands import COMMANDS, Command, free, kept
from engine_commands import check_what_remains as check_checkout
from faults_helpers import contents
from job_kinds import KINDS, Kind, check_what_remains, of_jobs, old, with_code_files
from workflow_helpers import Checkout

pytestmark = pytest.mark.skipif(bool(power_cut.why_not()), reason=power_cut.why_not())


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """The file system that forgets."""
    disk = power_cut.PowerCut(tmp_path / "disk")
    try:
        if not disk.is_mounted:
            pytest.skip("no file system may be mounted here")
        yield disk
    finally:
        monkeypatch.undo()
        disk.unmount()


@pytest.fixture
def work(disk, folder, monkeypatch):
    """The miniature there, as the working directory."""
    with_code_files()
    shutil.copytree(folder, disk.folder / "work")
    monkeypatch.chdir(disk.folder / "work")
    return disk


def cut_at(disk: power_cut.PowerCut, run, kind: Kind, moments: int) -> int:
    """Cuts the power at so many moments of a job, from its first change to after its last; how many cuts there were."""
    was = contents(".")
    for path in kind.makes:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(old(path))
    disk.tell("settle")
    assert run(kind.arguments) == 0
    changes, whole = disk.changes, of_jobs(contents("."))
    assert changes > 20
    for moment in range(moments):
        disk.tell("again")
        disk.tell("cut_at", 1 + changes * moment // (moments - 1))
        assert run(kind.arguments) != 0 or moment == moments - 1
        disk.tell("power", moment)
        check_what_remains(contents("."), whole, was, kind)
        assert run(kind.arguments) == 0, moment
        after = of_jobs(contents("."))
        assert after.keys() == whole.keys(), (moment, sorted(after.keys() ^ whole.keys()))
        assert [path for path in after if after[path] != whole[path]] == [], moment
    return moments


@pytest.mark.fault("power cut", "a job")
@pytest.mark.parametrize("name", ["a table"])
def test_some_cuts(work, run, survived, name):
    survived(cut_at(work, run, KINDS[name], 4), name)


@pytest.mark.slow
@pytest.mark.timeout(36000)
@pytest.mark.fault("power cut", "a job")
@pytest.mark.parametrize("name", ["a text", "a corpus", "a training", "a table", "verdicts", "a page"])
def test_many_cuts(work, run, survived, name):
    survived(cut_at(work, run, KINDS[name], 100 if os.environ.get(injection.ALL) else 8), name)


def cut_a_command(disk: power_cut.PowerCut, start: Checkout, command: Command, moments: int) -> int:
    """The same for a command of the engines in a checkout."""
    checkout = start.copy(disk.folder / "toy")
    old = kept(checkout)
    disk.tell("settle")
    checkout.run(*command.line)
    changes, new = disk.changes, kept(checkout)
    assert changes > 20 and new != old
    for moment in range(moments):
        disk.tell("again")
        disk.tell("cut_at", 1 + changes * moment // (moments - 1))
        done = checkout.run(*command.line, check=False)
        assert done.returncode != 0 or moment == moments - 1
        disk.tell("power", moment)
        check_checkout(checkout, old, new)
        free(checkout)
        checkout.run(*command.line)
        assert kept(checkout) == new, moment
    return moments


@pytest.mark.slow
@pytest.mark.timeout(36000)
@pytest.mark.fault("power cut", "an engine")
@pytest.mark.parametrize("name", ["postproof record"])
def test_cuts_of_a_command(disk, toy, tmp_path, survived, name):
    start = toy.copy(tmp_path / "toy")
    COMMANDS[name].prepare(start)
    survived(cut_a_command(disk, start, COMMANDS[name], 100 if os.environ.get(injection.ALL) else 4), name)
