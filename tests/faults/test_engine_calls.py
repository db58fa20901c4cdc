"""The engines' own commands, killed or refused at a system call, leave whole files; the next run ends the same."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import injection
from postproof.core import files
from postproof.engines import receipts
from workflow_helpers import ROOT, Checkout, built_toy, copied

pytestmark = [
    pytest.mark.skipif(bool(injection.why_not()), reason=injection.why_not()),
    pytest.mark.timeout(36000),
]
STEPS = {"toy.walk": {"steps": 6}}
ONE_MORE = {"toy.walk": {"seeds": [7, 8, 9]}, "toy.named_walks": {"long": 3}}
# What stands for the project: what is made, what is recorded of it, and what is known of the making.
KEPT = (
    "data",
    "results",
    "claims",
    "params.yaml",
    "dvc.lock",
    "dvc.yaml",
    "build/code",
    "workflow",
    "src/postproof/toy",
)
# Calls by which files come and go. Engines read and write a great deal more; the jobs' own tests have all kinds.
KINDS = ("rename", "fsync", "remove", "create", "write")


@dataclass(frozen=True)
class Command:
    """An engine's command, and how a checkout is brought to where it has something to do, from the built toy."""

    line: tuple[str, ...]
    prepare: Callable[[Checkout], None]
    faults: int  # in the slow test; all of them by `make test-all`


def other_steps(checkout: Checkout) -> None:
    checkout.set_params(STEPS)


def made_with_other_steps(checkout: Checkout) -> None:
    checkout.set_params(STEPS)
    checkout.snakemake()


def one_more_walk(checkout: Checkout) -> None:
    checkout.set_params(ONE_MORE)


def restored_by_dvc(checkout: Checkout) -> None:
    """As in a clone after `dvc pull`: Snakemake and the receipts know nothing."""
    shutil.rmtree(checkout.path / ".postproof")
    shutil.rmtree(checkout.path / ".snakemake")


def with_the_skeleton(checkout: Checkout) -> None:
    copied([f"workflow/skeleton/{path.name}" for path in (ROOT / "workflow/skeleton").iterdir()], checkout.path)


COMMANDS = {
    "snakemake": Command(("snakemake", "--cores", "1"), other_steps, 1),
    "dvc repro": Command(("dvc", "repro", "walk_table"), other_steps, 1),
    "dvc commit": Command(("dvc", "commit", "--force", "--quiet"), made_with_other_steps, 1),
    "postproof record": Command(("python", "-m", "postproof", "record"), made_with_other_steps, 1),
    "postproof sync": Command(("python", "-m", "postproof", "sync"), restored_by_dvc, 1),
    "postproof dvcfile": Command(("python", "-m", "postproof", "dvcfile"), one_more_walk, 1),
    "postproof new": Command(("python", "-m", "postproof", "new", "experiment", "toy", "wander"), with_the_skeleton, 1),
}


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Checkout:
    """Not to be changed."""
    return built_toy(tmp_path_factory.mktemp("engines") / "toy")


def kept(checkout: Checkout) -> dict[str, bytes]:
    found = {}
    for name in KEPT:
        path = checkout.path / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            # Temporary files, of ours and of DVC.
            if file.is_file() and not re.search(r"\.tmp\d+|^\..+\.tmp$", file.name):
                found[file.relative_to(checkout.path).as_posix()] = file.read_bytes()
    return found


def check_what_remains(checkout: Checkout, old: dict[str, bytes], new: dict[str, bytes]) -> None:
    now = kept(checkout)
    for path in {*now, *old} & {*now, *new}:
        if now.get(path) not in (old.get(path), new.get(path)):
            # Snakemake (9.27) copies the output of a job that failed back from its backup, not by renaming; where it
            # has none, it deletes the output. Nothing is lost by that, and nobody takes it for made.
            digest = hashlib.md5(old[path]).hexdigest()
            is_open = path not in now or path in receipts.altered(checkout.path)
            is_kept = (checkout.path / receipts.CACHE / digest[:2] / digest[2:]).is_file()
            assert is_kept and is_open, f"{path} is neither old nor new"
    for file in checkout.files(".dvc/cache/files/md5"):
        if re.fullmatch(r"[0-9a-f]{30}", file.name):
            assert files.md5(file) == file.parent.name + file.name, f"{file} is not what its name says"
    for file in checkout.files(".postproof"):
        assert file.name.startswith(".") or json.loads(file.read_text()), file


def under_strace(checkout: Checkout, log: Path, line: tuple[str, ...], *options: str) -> subprocess.CompletedProcess:
    return checkout.run(*injection.traced(log, *options, kinds=KINDS), *line, check=False)


def free(checkout: Checkout) -> None:
    """What a user does after a kill: both engines say so themselves."""
    checkout.run("snakemake", "--unlock", check=False)


def faults_at(toy: Checkout, tmp_path: Path, command: Command, at_most: int | None) -> int:
    start = toy.copy(tmp_path / "start")
    command.prepare(start)
    old = kept(start)
    # In the same place as the tries: some files hold absolute paths.
    place, log = tmp_path / "toy", tmp_path / "strace.log"
    checkout = start.copy(place)
    done = under_strace(checkout, log, command.line)
    assert done.returncode == 0, done.stderr
    new = kept(checkout)
    tries = 0
    for fault in injection.each(injection.points(log, place, KINDS), at_most):
        shutil.rmtree(place)
        checkout = start.copy(place)
        done = under_strace(checkout, log, command.line, *fault.options)
        said = done.stdout + done.stderr
        assert injection.was_injected(log), fault
        assert "this is a bug in postproof" not in said, f"{fault}\n{said}"
        check_what_remains(checkout, old, new)
        free(checkout)
        done = checkout.run(*command.line, check=False)
        assert done.returncode == 0, f"{fault}\n{said}\n--- again:\n{done.stdout}{done.stderr}"
        after = kept(checkout)
        assert sorted(path for path in {*after, *new} if after.get(path) != new.get(path)) == [], fault
        tries += 1
    return tries


@pytest.mark.slow
@pytest.mark.fault("killed, EIO or ENOSPC at a system call", "an engine")
@pytest.mark.parametrize("name", COMMANDS)
def test_many_faults(toy, tmp_path, survived, name):
    at_most = None if os.environ.get(injection.ALL) else COMMANDS[name].faults
    survived(faults_at(toy, tmp_path, COMMANDS[name], at_most), name)


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
