"""A job that is killed, or refused, at any of its system calls leaves whole files, and the next run the same bytes."""

import os
import shutil
from pathlib import Path

import pytest

import injection
from faults_helpers import contents, stopped, wait_until_stopped
from job_kinds import KINDS, LOG, Kind, check_what_remains, of_jobs, with_code_files, with_old_outputs
from postproof.core.errors import PostproofError

pytestmark = pytest.mark.skipif(bool(injection.why_not()), reason=injection.why_not())
FAMILIES = {family.exit_code for family in (PostproofError, *PostproofError.__subclasses__())}


@pytest.fixture
def job(folder, start):
    """Runs a kind of job under strace, with or without a fault; gives its exit code."""
    with_code_files()
    log = folder.parent / "strace.log"

    def run(kind: Kind, fault: injection.Fault | None = None) -> int:
        def stopped_then(attach) -> int:
            process = start(kind.arguments, target=stopped, environment=kind.environment)
            wait_until_stopped(process.pid)
            attach(process.pid)
            process.join(120)
            process.kill()
            process.join()
            return process.exitcode

        return injection.run_under(fault, log, stopped_then)

    run.log = log
    return run


def alone(start, kind: Kind) -> int:
    process = start(kind.arguments, environment=kind.environment)
    process.join(120)
    return process.exitcode


def every_fault(job, start, folder: Path, kind: Kind, at_most: int | None) -> int:
    """Causes each fault, or so many of them, and looks at what is left and what the next run makes; how many.

    Each: at the first and the last call of every site.
    """
    before = folder.parent / "before"
    shutil.copytree(folder, before)
    was = contents(before)
    with_old_outputs(before, folder, kind)
    assert job(kind) == 0
    points = injection.points(job.log, folder)
    whole = of_jobs(contents("."))
    tries = 0
    for fault in injection.each(points if at_most else injection.distinct(points), at_most):
        with_old_outputs(before, folder, kind)
        code = job(kind, fault)
        assert injection.was_injected(job.log), fault
        log = Path(LOG).read_text() if Path(LOG).is_file() else ""
        if fault.effect == injection.KILLED and not (kind.starts_others and code in FAMILIES):
            assert code == -9, fault
        else:
            assert code in FAMILIES | {0}, f"{fault}: exit code {code}\n{log}"
        check_what_remains(contents("."), whole, was, kind)
        assert alone(start, kind) == 0, fault
        after = of_jobs(contents("."))
        assert after.keys() == whole.keys(), (fault, sorted(after.keys() ^ whole.keys()))
        assert [path for path in after if after[path] != whole[path]] == [], fault
        tries += 1
    return tries


@pytest.mark.fault("killed, EIO or ENOSPC at a system call", "a job")
@pytest.mark.parametrize("name", KINDS)
def test_some_faults(job, start, folder, survived, name):
    survived(every_fault(job, start, folder, KINDS[name], at_most=3), name)


@pytest.mark.slow
@pytest.mark.timeout(36000)
@pytest.mark.fault("killed, EIO or ENOSPC at a system call", "a job")
@pytest.mark.parametrize("name", KINDS)
def test_many_faults(job, start, folder, survived, name):
    at_most = None if os.environ.get(injection.ALL) else 8
    survived(every_fault(job, start, folder, KINDS[name], at_most), name)
