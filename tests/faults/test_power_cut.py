"""The power is cut while a job writes: whatever part of it reached the disk, files are whole and the next run the same.

The file system is one of the tests' own (tests/helpers/power_cut.py): it keeps any part of what was not flushed.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

import injection
import power_cut
from faults_helpers import contents
from job_kinds import KINDS, Kind, check_what_remains, of_jobs, old, with_code_files

LEFT_IN_CACHE = re.compile(r"\.dvc/cache/files/md5/[0-9a-f]{2}/\.[0-9a-f]{30}\.tmp\d+$")
pytestmark = pytest.mark.skipif(bool(power_cut.why_not()), reason=power_cut.why_not())


@pytest.fixture
def disk(folder, tmp_path, monkeypatch):
    """The miniature on the file system that forgets, as the working directory."""
    with_code_files()
    disk = power_cut.PowerCut(tmp_path / "disk")
    try:
        if not disk.is_mounted:
            pytest.skip("no file system may be mounted here")
        shutil.copytree(folder, disk.folder / "work")
        monkeypatch.chdir(disk.folder / "work")
        yield disk
    finally:
        monkeypatch.undo()
        disk.unmount()


def cut_at(disk: power_cut.PowerCut, run, kind: Kind, moments: int) -> int:
    """Cuts the power at so many moments of a job, from its first change to after its last; how many cuts there were."""
    was = contents(".")
    for path in kind.makes:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(old(path))
    disk.tell("settle")
    assert run(kind.as_job) == 0
    changes, whole = disk.changes, of_jobs(contents("."))
    assert changes > 20
    for moment in range(moments):
        disk.tell("again")
        disk.tell("cut_at", 1 + changes * moment // (moments - 1))
        assert run(kind.as_job) != 0 or moment == moments - 1
        disk.tell("power", moment)
        check_what_remains(contents("."), whole, was, kind)
        assert run(kind.as_job) == 0, moment
        # Where the cache has the bytes already nobody writes there again, and sweeps what a write had begun.
        after = {path: content for path, content in of_jobs(contents(".")).items() if not LEFT_IN_CACHE.match(path)}
        assert after.keys() == whole.keys(), (moment, sorted(after.keys() ^ whole.keys()))
        assert [path for path in after if after[path] != whole[path]] == [], moment
    return moments


@pytest.mark.fault("power cut", "a job")
@pytest.mark.parametrize("name", ["a table"])
def test_some_cuts(disk, run, survived, name):
    survived(cut_at(disk, run, KINDS[name], 4), name)


@pytest.mark.slow
@pytest.mark.timeout(36000)
@pytest.mark.fault("power cut", "a job")
@pytest.mark.parametrize("name", ["a text", "a corpus", "a training", "a table", "verdicts", "a page"])
def test_many_cuts(disk, run, survived, name):
    survived(cut_at(disk, run, KINDS[name], 100 if os.environ.get(injection.ALL) else 8), name)
