"""The engines' own commands, killed or refused at a system call, leave whole files; the next run ends the same."""

import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import injection
from engine_commands import COMMANDS, Command, check_what_remains, free, kept, other_steps
from workflow_helpers import Checkout

pytestmark = [
    pytest.mark.skipif(bool(injection.why_not()), reason=injection.why_not()),
    pytest.mark.timeout(36000),
]
# Calls by which files come and go. Engines read and write a great deal more; the jobs' own tests have all kinds.
KINDS = ("rename", "fsync", "remove", "create", "write")


def under_strace(
    checkout: Checkout, log: Path, line: tuple[str, ...], fault: injection.Fault | None = None
) -> subprocess.CompletedProcess:
    options = fault.options if fault else []
    if fault is None or fault.effect != injection.KILLED:
        options = ["--seccomp-bpf", *options]  # several times faster; no signal is delivered with it
    return checkout.run(*injection.traced(log, *options, kinds=KINDS), *line, check=False)


def faults_at(
    toy: Checkout,
    tmp_path: Path,
    command: Command,
    chosen: Callable[[list[injection.Point]], Iterable[injection.Fault]],
) -> int:
    start = toy.copy(tmp_path / "start")
    command.prepare(start)
    old = kept(start)
    # In the same place as the tries: some files hold absolute paths.
    place, log = tmp_path / "toy", tmp_path / "strace.log"
    checkout = start.copy(place)
    done = under_strace(checkout, log, command.line)
    assert done.returncode == 0, done.stderr
    new = kept(checkout)
    assert new != old or command is COMMANDS["postproof sync"], "it had something to do"
    tries = missed = 0
    for fault in chosen(injection.points(log, place, KINDS)):
        shutil.rmtree(place)
        checkout = start.copy(place)
        done = under_strace(checkout, log, command.line, fault)
        said = done.stdout + done.stderr
        if not injection.was_injected(log):
            # Snakemake's threads share the calls in another way each time, and strace counts those of each.
            assert done.returncode == 0, f"{fault}\n{said}"
            missed += 1
            continue
        assert "this is a bug in postproof" not in said, f"{fault}\n{said}"
        check_what_remains(checkout, old, new)
        free(checkout)
        done = checkout.run(*command.line, check=False)
        assert done.returncode == 0, f"{fault}\n{said}\n--- again:\n{done.stdout}{done.stderr}"
        after = kept(checkout)
        assert sorted(path for path in {*after, *new} if after.get(path) != new.get(path)) == [], fault
        tries += 1
    assert tries > missed
    return tries


@pytest.mark.slow
@pytest.mark.fault("killed, EIO or ENOSPC at a system call", "an engine")
@pytest.mark.parametrize("name", COMMANDS)
def test_many_faults(toy, tmp_path, survived, name):
    command = COMMANDS[name]
    survived(faults_at(toy, tmp_path, command, lambda points: injection.each(points, command.faults)), name)


@pytest.mark.slow
@pytest.mark.fault("at each site: killed, or EIO or ENOSPC", "an engine")
@pytest.mark.parametrize("part", injection.PARTS)
@pytest.mark.parametrize("name", COMMANDS)
def test_faults_at_each_site(toy, tmp_path, survived, name, part):
    def chosen(points: list[injection.Point]) -> list[injection.Fault]:
        return injection.part_of(injection.in_turn(injection.distinct(points)), part)

    survived(faults_at(toy, tmp_path, COMMANDS[name], chosen), name)


@pytest.mark.slow
@pytest.mark.fault("two at once", "an engine")
@pytest.mark.parametrize("name", ["snakemake", "dvc repro"])
def test_of_two_at_once_one_works_and_the_other_waits_or_says_why(toy, tmp_path, name):
    line = COMMANDS[name].line
    alone, checkout = toy.copy(tmp_path / "alone"), toy.copy(tmp_path / "toy")
    for each in (alone, checkout):
        other_steps(each)
    alone.run(*line)
    both = [checkout.start(*line) for _ in range(2)]
    said = ["".join(process.communicate(timeout=500)) for process in both]
    assert 0 in [process.returncode for process in both], said
    for process, text in zip(both, said):
        assert process.returncode == 0 or "lock" in text.lower(), text
        assert "this is a bug in postproof" not in text
    assert checkout.run(*line, check=False).returncode == 0
    assert kept(checkout) == kept(alone)
