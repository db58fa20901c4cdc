"""Make Snakemake agree with the files that DVC restored (`make pull`, `make sync`)."""

from __future__ import annotations

import json
import subprocess
import sys

from postproof.errors import EngineError


def add_arguments(parser) -> None:
    parser.add_argument("--pull", action="store_true", help="first fetch what is missing from the DVC remote")


def main(args) -> None:
    if args.pull:
        run("dvc", "pull", "--quiet")
    differing = json.loads(run("dvc", "status", "--json"))
    if differing:
        # Touching would tell Snakemake that these are current.
        raise EngineError(
            "the files here are not the ones that dvc.lock records",
            stages=", ".join(differing),
            remedy="run `snakemake --cores` to make them, then `make record` to record them",
        )
    run("snakemake", "--touch", "--forceall", "--cores", "1", "--quiet", "all", "--", "all")
    print("Snakemake and DVC agree: nothing to do")


def run(program: str, *arguments: str) -> str:
    """Standard output of one of the engines, started as a module of this Python.

    Raises EngineError with the end of what it said when it fails.
    """
    done = subprocess.run([sys.executable, "-m", program, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise EngineError(
            f"{program} failed",
            command=" ".join([program, *arguments]),
            exit_code=done.returncode,
            it_said=" / ".join(done.stderr.strip().splitlines()[-5:]),
        )
    return done.stdout
