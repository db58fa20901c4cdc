"""The engines' own commands in the toy project, and what a fault may leave of one."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from postproof.core import files
from postproof.engines import receipts
from workflow_helpers import ROOT, Checkout, copied

STEPS = {"toy.walk": {"steps": 6}}
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


@dataclass(frozen=True)
class Command:
    """An engine's command, and how a checkout is brought to where it has something to do, from the built toy."""

    line: tuple[str, ...]
    prepare: Callable[[Checkout], None]
    faults: int  # in the slow test; `make test-all`: one killed and one error at both ends of each site


def other_steps(checkout: Checkout) -> None:
    checkout.set_params(STEPS)


def made_with_other_steps(checkout: Checkout) -> None:
    checkout.set_params(STEPS)
    checkout.snakemake()


def one_more_input(checkout: Checkout) -> None:
    checkout.replace("workflow/rules/toy.smk", "    output:", '        more="CITATION.cff",\n    output:')


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
    "postproof dvcfile": Command(("python", "-m", "postproof", "dvcfile"), one_more_input, 1),
    "postproof new": Command(("python", "-m", "postproof", "new", "experiment", "toy", "wander"), with_the_skeleton, 1),
}


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


def free(checkout: Checkout) -> None:
    """What a user does after a kill: both engines say so themselves."""
    if checkout.files(".snakemake/locks"):
        checkout.run("snakemake", "--unlock", check=False)
