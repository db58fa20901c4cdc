"""Make the runs again whose input is not ours to ship, and compare them with what data/recorded holds, or record them.

    postproof recorded            in a temporary clone of the last commit: every file byte for byte, weights by sha256
    postproof recorded --record   here, into data/recorded, with what they were made of and where

data/recorded/{post}/{experiment}/ has the rows and other small outputs of each run; data/recorded/{post}/record.json
the sha256 of its weights, and text, code, command and versions. Only who has the input (held.py) can make them; tables,
charts and verdicts are made from the recorded files by everybody.
"""

from __future__ import annotations

import fnmatch
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from postproof.core import exact, files
from postproof.core.errors import EngineError
from postproof.engines import held, verify

BUILT, RECORDED = Path("build/recorded"), Path("data/recorded")
WEIGHTS = "weights_sha256"  # in record.json
TARGET = "recorded"  # the rule that makes all of them


def add_arguments(parser) -> None:
    held.add_arguments(parser)
    parser.add_argument("--record", action="store_true", help="keep what comes out in data/recorded")
    parser.add_argument("--runs", nargs="*", default=["*"], metavar="GLOB",
                        help="only these, as mixtral/race/*-seed7; to verify")  # fmt: skip
    parser.add_argument("--cores", default="all")


def main(args) -> int:
    """Raises DataError when an input is not at hand, EngineError when a run fails."""
    root = Path.cwd()
    if args.record:
        held.place(root, args.folder)
        build(root, [TARGET], args.cores)
        for post in sorted(path.name for path in (root / BUILT).glob("[!.]*")):
            record(root, post)
        return 0
    runs = [run for run in recorded_runs(root) if any(fnmatch.fnmatch(run, pattern) for pattern in args.runs)]
    if not runs:
        raise EngineError("no recorded run has such a name", value=" ".join(args.runs),
                          allowed=", ".join(recorded_runs(root)))  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="postproof-recorded-") as folder:
        clone = verify.clone_head(root, Path(folder, "clone"))
        held.place(clone, args.folder)
        build(clone, [f"{BUILT}/{run}.csv" for run in runs], args.cores)
        return verify.summary(compare(clone, runs))


def recorded_runs(root: Path) -> list[str]:
    """Names {post}/{experiment}/{arm}-seed{seed}."""
    folder = root / RECORDED
    return [path.relative_to(folder).with_suffix("").as_posix() for path in sorted(folder.glob("[!.]*/*/[!.]*.csv"))]


def build(root: Path, targets: Sequence[str], cores: str) -> None:
    command = [sys.executable, "-m", "snakemake", "--cores", cores, "--quiet", "rules", "--", *targets]
    done = subprocess.run(command, cwd=root, env=os.environ | {"PYTHONPATH": str(root / "src")})
    if done.returncode != 0:
        raise EngineError("a run failed", exit_code=done.returncode, remedy="see the messages above")


def compare(root: Path, runs: Sequence[str]) -> dict[str, verify.Outcome]:
    """The outcome for every recorded file of the runs, and for their weights."""
    outcomes = {}
    for run in runs:
        for path in sorted((root / RECORDED / run).parent.glob(f"{Path(run).name}.*")):
            built = root / BUILT / path.relative_to(root / RECORDED)
            outcomes[path.relative_to(root).as_posix()] = _outcome(built, files.md5(path), files.md5)
        expected = files.read_json(root / RECORDED / Path(run).parts[0] / "record.json")[WEIGHTS].get(run)
        if expected:
            outcomes[f"{BUILT}/{run}.safetensors"] = _outcome(_weights(root / BUILT / run), expected, files.sha256)
    return outcomes


def _outcome(built: Path, expected: str | None, digest) -> verify.Outcome:
    if not built.is_file():
        return verify.Outcome.MISSING
    return verify.Outcome.IDENTICAL if digest(built) == expected else verify.Outcome.DIFFERENT


def record(root: Path, post: str) -> None:
    """Copies what was built into data/recorded and writes record.json; the weights stay behind, as their sha256."""
    built, target = root / BUILT / post, root / RECORDED / post
    rows = sorted(built.glob("*/[!.]*.csv"))
    runs = [path.with_suffix("") for path in rows]
    shutil.rmtree(target, ignore_errors=True)
    for run in runs:
        for path in sorted(run.parent.glob(f"{run.name}.*")):
            if path != _weights(run) and ".resume." not in path.name:
                copy = target / path.relative_to(built)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
    git = ["git", "-C", str(root)]
    files.write_json(target / "record.json", {
        "what": "runs on inputs that cannot be shipped: `postproof recorded` makes and compares them",
        "inputs": {item.path: {"what": item.what, "source": item.source, "sha256": item.sha256}
                   for item in held.read_all(root)},
        "date_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "postproof recorded --record",
        "git_commit": subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip(),
        "uncommitted_changes": bool(
            subprocess.run([*git, "status", "--porcelain", "--", "src", "workflow", "params.yaml"],
                           capture_output=True, text=True).stdout),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("torch", "numpy")},
        "kernels": exact.ENVIRONMENT,
        WEIGHTS: {f"{post}/{run.relative_to(built).as_posix()}": files.sha256(_weights(run))
                  for run in runs if _weights(run).is_file()},
    })  # fmt: skip
    print(f"{target.relative_to(root)}: {len(runs)} runs recorded; commit them")


def _weights(run: Path) -> Path:
    return run.with_name(f"{run.name}.safetensors")
