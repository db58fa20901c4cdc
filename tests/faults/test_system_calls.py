"""A job that is killed, or refused, at any of its system calls leaves whole files, and the next run the same bytes."""

import shutil
from collections.abc import Callable, Iterable
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


def faults_at(
    job, start, folder: Path, kind: Kind, chosen: Callable[[list[injection.Point]], Iterable[injection.Fault]]
) -> int:
    """Causes the faults chosen, and looks at what is left and what the next run makes; how many."""
    before = folder.parent / "before"
    shutil.copytree(folder, before)
    was = contents(before)
    with_old_outputs(before, folder, kind)
    assert job(kind) == 0
    faults = chosen(injection.points(job.log, folder))
    whole = of_jobs(contents("."))
    tries = 0
    for fault in faults:
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
    survived(faults_at(job, start, folder, KINDS[name], lambda points: injection.each(points, at_most=3)), name)


@pytest.mark.slow
@pytest.mark.timeout(36000)
@pytest.mark.fault("killed, EIO or ENOSPC at a system call", "a job")
@pytest.mark.parametrize("name", KINDS)
def test_many_faults(job, start, folder, survived, name):
    survived(faults_at(job, start, folder, KINDS[name], lambda points: injection.each(points, at_most=8)), name)


@pytest.mark.slow
@pytest.mark.timeout(36000)
@pytest.mark.fault("at each site: killed, EIO or ENOSPC, once and lasting", "a job")
@pytest.mark.parametrize("part", injection.PARTS)
@pytest.mark.parametrize("name", KINDS)
def test_faults_at_each_site(job, start, folder, survived, name, part):
    """At the first and the last call of each."""

    def chosen(points: list[injection.Point]) -> list[injection.Fault]:
        return injection.part_of(injection.each(injection.distinct(points)), part)

    survived(faults_at(job, start, folder, KINDS[name], chosen), name)
