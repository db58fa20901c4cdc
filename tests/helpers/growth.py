"""What the commands of a checkout cost with many runs in one experiment: `python tests/helpers/growth.py 10 100 1000`.

Builds the toy project of the tests with that many runs, in a temporary folder or one given by --keep, and prints a line
for each command: CPU seconds of it and all that it starts, and the largest memory of one process. A thousand runs are
a quarter of an hour on two cores. docs/scale.md has what came of it.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from workflow_helpers import Checkout, toy_project

STATES = ("dvc.yaml", "dvc.lock", ".postproof", ".snakemake", ".dvc/cache")


def grown(target: Path, runs: int) -> Checkout:
    """The toy with that many runs, sources only."""
    checkout = toy_project(target)
    checkout.set_params({"toy.walk": {"seeds": list(range(1, runs + 1))}})
    checkout.commit("sources")
    return checkout


def measured(checkout: Checkout, *command: str) -> tuple[float, int]:
    """CPU seconds and the peak of memory in MB. Raises AssertionError when the command fails."""
    inherited = os.environ | {"PYTHONPATH": str(checkout.path / "src")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=checkout.path, env=inherited | {"PATH": path}, stdout=said, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        if process.returncode:
            raise AssertionError(f"{' '.join(command)} gave {process.returncode}\n{said.read().decode()[-2000:]}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


def commands(runs: int) -> list[tuple[str, list[str]]]:
    """In an order in which each finds the state that it should: first all is built, at the end one run is new."""
    ours = [sys.executable, "-m", "postproof"]
    return [
        ("snakemake, all to make", ["snakemake", "--cores", "2", "--quiet", "all"]),
        ("dvcfile", [*ours, "dvcfile"]),
        ("record, the first", [*ours, "record"]),
        ("snakemake -n", ["snakemake", "-n", "--quiet", "all"]),
        ("snakemake, nothing to do", ["snakemake", "--cores", "2", "--quiet", "all"]),
        ("plan", [*ours, "plan"]),
        ("dvc status", ["dvc", "status"]),
        ("dvc repro of a stage, nothing to do", ["dvc", "repro", f"walk@{runs}"]),
        ("record, again", [*ours, "record"]),
        ("dvcfile, again", [*ours, "dvcfile"]),
        ("sync", [*ours, "sync"]),
        ("verify --here", [*ours, "verify", "--here"]),
        ("dvc repro of a new run", ["dvc", "repro", f"walk@{runs + 1}"]),
    ]


def size(path: Path) -> tuple[int, int]:
    """Bytes and number of files."""
    found = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in found), len(found)


def costs(checkout: Checkout, runs: int, without: tuple[str, ...] = ()) -> dict[str, float]:
    """CPU seconds by command, printed as they come."""
    seconds = {}
    for name, command in commands(runs):
        if name in without:
            continue
        if name == "dvc repro of a new run":
            checkout.set_params({"toy.walk": {"seeds": list(range(1, runs + 2))}})
        seconds[name], memory = measured(checkout, *command)
        print(f"{runs:6} runs  {seconds[name]:8.2f} s  {memory:5} MB  {name}", flush=True)
    for name in STATES:
        held, count = size(checkout.path / name)
        print(f"{runs:6} runs  {held / 1000:8.0f} kB {count:6} files  {name}", flush=True)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int, nargs="+")
    parser.add_argument("--keep", type=Path, help="a folder for the checkouts")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="postproof-growth-") as folder:
        found = {runs: costs(grown((args.keep or Path(folder)) / str(runs), runs), runs) for runs in args.runs}
    for few, many in zip(args.runs, args.runs[1:], strict=False):
        for name in found[many]:
            exponent = math.log(found[many][name] / found[few][name]) / math.log(many / few)
            print(f"{few} to {many} runs: exponent {exponent:5.2f}  {name}")


if __name__ == "__main__":
    main()
