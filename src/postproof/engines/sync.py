"""Make Snakemake agree with the files that DVC restored (`make pull`, `make sync`)."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from postproof.core import environment, files
from postproof.core.errors import EngineError
from postproof.engines import codegraph, dag, dvc_state, job, lockfile, receipts, remote, snakemake_state


def add_arguments(parser) -> None:
    parser.add_argument("--pull", action="store_true", help="first fetch what is missing from the DVC remote")


def main(args) -> None:
    root = Path.cwd()
    if args.pull:
        remote.fetch(root, functools.partial(run, "dvc"))
    sources = codegraph.Sources.read(root)
    codegraph.refresh(root, sources)
    refuse_damaged(root)
    jobs = dag.jobs(root)
    outputs = [path for each in jobs for path in each.outputs]
    differing = dvc_state.changed(root) if dvc_state.is_installed() else lockfile.differing(root, outputs)
    differing += [name for name in lockfile.planned_otherwise(root, jobs) if name not in differing]
    stage_of = lockfile.by_output(root)
    open_jobs = [each for each in jobs if any(stage_of.get(path, path) in differing for path in each.outputs)]
    take_as_made([each for each in jobs if each not in open_jobs], root, sources)
    # What is restored but not as recorded has to be made; of what was made here Snakemake knows that itself.
    snakemake_state.mark_incomplete(path for each in open_jobs if not each.known for path in each.outputs)
    if differing:
        raise EngineError(
            "the files here are not the ones that dvc.lock records",
            stages=", ".join(differing),
            remedy="run `snakemake --cores` to make them, then `make record` to record them",
        )
    print("Snakemake and DVC agree: nothing to do" if dvc_state.is_installed() else
          "nothing to do, by Snakemake and by our own reading of dvc.lock: DVC is not installed")  # fmt: skip


def take_as_made(jobs: Sequence[dag.Job], root: Path, sources: codegraph.Sources) -> None:
    """Has Snakemake and our receipts take the outputs of these jobs, as they are, for made by what is here."""
    outputs = [Path(path) for each in jobs for path in each.outputs]
    if not outputs:
        return
    os.utime(outputs[0])
    now = outputs[0].stat().st_mtime_ns
    for path in outputs:  # one time for all: none is newer than what is made of it
        os.utime(path, ns=(now, now))
        receipts.accept(path)
    md5 = functools.cache(files.md5)  # not by receipts: an input may be one that is to be made again
    for each, key in job.keys_of_planned(jobs, sources, md5):
        made_of = {"command": list(each.command), "restored": "by DVC, as dvc.lock says"}
        receipts.keep(key, map(Path, each.outputs), made_of)
    dag.note_as_made(root, [path.as_posix() for path in outputs])


def refuse_damaged(root: Path) -> None:
    """Raises EngineError when a file was restored with other bytes than recorded; it and the cache's copy are removed.

    DVC (3.67) believes the name of an object that it fetched, and then says that all is as recorded.
    """
    damaged = [
        item
        for item in lockfile.read(root)
        if not item.is_in(root) and receipts.drop_damaged(Path(item.path), item.md5)
    ]
    if damaged:
        raise EngineError(
            "damaged objects were restored: the DVC remote, or the cache, had other bytes than their names say",
            removed_again=f"{len(damaged)}, the first: {damaged[0].path}",
            its_object=remote.object_name(damaged[0].md5),
            remedy="`snakemake --cores` makes what is missing, and `make sync` lets both engines know. "
            "For the author: docs/sharing.md",
        )


MODULES = {"dvc": "postproof.engines.dvc_command", "snakemake": "snakemake", "postproof": "postproof"}


def run(program: str, *arguments: str) -> str:
    """Standard output of one of the engines, or of ours, started as a module of this Python.

    Raises EngineError when it fails, with the errors that it named, or else the end of what it said.
    """
    if program == "dvc":
        dvc_state.check_installed()
    environment.do_without_git(Path.cwd())
    done = subprocess.run([sys.executable, "-m", MODULES[program], *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        errors = [line for line in said if line.startswith("ERROR: ")]  # DVC: one for each object, then one for all
        raise EngineError(
            f"{program} failed",
            command=" ".join([program, *arguments]),
            exit_code=done.returncode,
            it_said=" / ".join([*errors[:2], *errors[2:][-1:]] or said[-5:]),
        )
    return done.stdout
