"""Make Snakemake agree with the files that DVC restored (`make pull`, `make sync`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from postproof.core import environment
from postproof.core.errors import EngineError
from postproof.engines import codegraph, dag, dvc_state, job, receipts, snakemake_state


def add_arguments(parser) -> None:
    parser.add_argument("--pull", action="store_true", help="first fetch what is missing from the DVC remote")


def main(args) -> None:
    root = Path.cwd()
    if args.pull:
        run("dvc", "pull")
    sources = codegraph.Sources.read(root)
    codegraph.refresh(root, sources)
    differing = dvc_state.changed(root)
    if differing:
        # Touching would tell Snakemake that these are current.
        raise EngineError(
            "the files here are not the ones that dvc.lock records",
            stages=", ".join(differing),
            remedy="run `snakemake --cores` to make them, then `make record` to record them",
        )
    jobs = dag.jobs(root)
    outputs = [path for each in jobs for path in each.outputs]
    for path in outputs:
        receipts.accept(Path(path))
    for each in jobs:
        made_of = {"command": list(each.command), "restored": "by DVC, as dvc.lock says"}
        receipts.keep(job.key_of_planned(each, sources), map(Path, each.outputs), made_of)
    snakemake_state.take_as_complete(outputs)
    run("snakemake", "--touch", "--forceall", "--cores", "1", "--quiet", "all", "--", "all")
    print("Snakemake and DVC agree: nothing to do")


MODULES = {"dvc": "postproof.engines.dvc_command", "snakemake": "snakemake"}


def run(program: str, *arguments: str) -> str:
    """Standard output of one of the engines, started as a module of this Python.

    Raises EngineError with the end of what it said when it fails.
    """
    environment.do_without_git(Path.cwd())
    done = subprocess.run([sys.executable, "-m", MODULES[program], *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise EngineError(
            f"{program} failed",
            command=" ".join([program, *arguments]),
            exit_code=done.returncode,
            it_said=" / ".join(done.stderr.strip().splitlines()[-5:]),
        )
    return done.stdout
