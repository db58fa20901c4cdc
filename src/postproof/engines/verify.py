"""Compare the artefacts with those that dvc.lock records, by default after a rebuild from nothing in a fresh clone."""

from __future__ import annotations

import csv
import enum
import io
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from postproof.core import files
from postproof.core.errors import ArtefactError, EngineError
from postproof.engines import lockfile

# For machines that exact mode does not cover: far above rounding, far below any difference that a chart could show.
RELATIVE_TOLERANCE = 1e-3
# Rebuilds that their makers wrote down, for the pages: like measurements they come from a machine, a day and a commit.
REBUILDS = Path("data/history/rebuilds.csv")
COLUMNS = ("date_utc", "commit", "processor", "cores", "seconds", "artefacts", "identical")


class Outcome(enum.Enum):
    IDENTICAL = "identical"
    WITHIN_TOLERANCE = "within tolerance"
    DIFFERENT = "different"
    MISSING = "missing"


def add_arguments(parser) -> None:
    parser.add_argument("--here", action="store_true", help="compare the files that are here; build nothing")
    parser.add_argument("--cores", default="all", help="for the rebuild")
    parser.add_argument("--record", action="store_true", help=f"write the outcome of the rebuild to {REBUILDS}")


def main(args) -> int:
    root = Path.cwd()
    if args.here:
        outcomes = {item.path: compare(item, root, root) for item in lockfile.read(root)}
        return summary(outcomes, only_others=True)
    with tempfile.TemporaryDirectory(prefix="postproof-verify-") as folder:
        clone = clone_head(root, Path(folder, "clone"))
        artefacts = lockfile.read(clone)
        for artefact in artefacts:
            (clone / artefact.path).unlink(missing_ok=True)
        began = time.monotonic()
        rebuild(clone, args.cores)
        seconds = time.monotonic() - began
        outcomes = {item.path: compare(item, clone, root) for item in artefacts}
        if args.record:
            write_down(root, clone, args.cores, seconds, outcomes)
        return summary(outcomes)


def write_down(root: Path, clone: Path, cores: str, seconds: float, outcomes: dict[str, Outcome]) -> None:
    """Adds a row to the rebuilds; the others stay as they are."""
    from postproof.measuring.runner import cpu_model

    commit = subprocess.run(["git", "-C", str(clone), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    identical = sum(outcome is Outcome.IDENTICAL for outcome in outcomes.values())
    used = len(os.sched_getaffinity(0)) if cores == "all" else int(cores)
    row = (datetime.now(UTC).date(), commit.stdout[:10], cpu_model(), used, round(seconds), len(outcomes), identical)
    path = root / REBUILDS
    old = path.read_text(encoding="utf-8") if path.is_file() else ",".join(COLUMNS) + "\n"
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(row)
    files.write_text(path, old + line.getvalue())


def clone_head(root: Path, clone: Path) -> Path:
    """The checkout in a clone of the last commit. Changes that are not committed are not part of it, which is said.

    The checkout may be a folder of a larger repository: then the clone is of all of it. Raises EngineError where there
    is no repository.
    """
    git = ["git", "-C", str(root)]
    if subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True).stdout:
        print(
            "verify: the working tree has changes that are not committed; the last commit is verified", file=sys.stderr
        )
    where = subprocess.run([*git, "rev-parse", "--show-toplevel", "--show-prefix"], capture_output=True, text=True)
    top, prefix = (*where.stdout.split("\n"), "", "")[:2]
    line = ["git", "clone", "--quiet", top or str(root), str(clone)]
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode != 0:
        raise EngineError("cannot clone the repository", root=root, git_said=done.stderr.strip(),
                          remedy="without Git, `postproof verify --here` compares what is here")  # fmt: skip
    return clone / prefix


def rebuild(clone: Path, cores: str) -> None:
    """Runs the whole DAG in `clone`, with the clone's own code.

    Raises EngineError when Snakemake fails.
    """
    command = [sys.executable, "-m", "snakemake", "--cores", cores, "--quiet", "rules"]
    done = subprocess.run(command, cwd=clone, env=os.environ | {"PYTHONPATH": str(clone / "src")})
    if done.returncode != 0:
        raise EngineError("the rebuild failed", exit_code=done.returncode, remedy="see the messages above")


def compare(artefact: lockfile.Artefact, built: Path, reference: Path) -> Outcome:
    """The outcome for one artefact below `built`; `reference` is the repository whose copy serves for tolerances."""
    path = built / artefact.path
    if not path.is_file():
        return Outcome.MISSING
    if files.md5(path) == artefact.md5:
        return Outcome.IDENTICAL
    recorded = recorded_copy(artefact, reference)
    return Outcome.WITHIN_TOLERANCE if recorded and close(path, recorded) else Outcome.DIFFERENT


def recorded_copy(artefact: lockfile.Artefact, root: Path) -> Path | None:
    """A file with the recorded bytes: in the DVC cache, or still in the working tree; None when there is none."""
    for candidate in (root / ".dvc/cache/files/md5" / artefact.md5[:2] / artefact.md5[2:], root / artefact.path):
        if candidate.is_file() and files.md5(candidate) == artefact.md5:
            return candidate
    return None


def close(path: Path, recorded: Path) -> bool:
    """Whether two tables, sets of tensors or JSON documents differ in rounding only. Pictures are never close."""
    import numpy as np
    import pandas as pd

    try:
        if path.suffix == ".csv":
            pd.testing.assert_frame_equal(files.read_csv(path), files.read_csv(recorded), rtol=RELATIVE_TOLERANCE)
        elif path.suffix == ".safetensors":
            ours, theirs = files.load_tensors(path)[0], files.load_tensors(recorded)[0]
            if ours.keys() != theirs.keys():
                return False
            for name in ours:
                scale = theirs[name].double().abs().max().item()
                np.testing.assert_allclose(ours[name], theirs[name], atol=RELATIVE_TOLERANCE * scale)
        elif path.suffix == ".json":
            return _close_json(files.read_json(path), files.read_json(recorded))
        else:
            return False
    except (AssertionError, ArtefactError):
        return False
    return True


def _close_json(ours, theirs) -> bool:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_close_json(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_close_json, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float):
        return abs(ours - theirs) <= RELATIVE_TOLERANCE * abs(theirs)
    return ours == theirs


def summary(outcomes: dict[str, Outcome], only_others: bool = False) -> int:
    """Prints a line per artefact (with `only_others`, those that are not identical), the counts last; 0 if all are."""
    for path, outcome in outcomes.items():
        if not (only_others and outcome is Outcome.IDENTICAL):
            print(f"{outcome.value:<16} {path}")
    counts = Counter(outcomes.values())
    rest = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome if outcome is not Outcome.IDENTICAL)
    print(f"{counts[Outcome.IDENTICAL]} of {len(outcomes)} artefacts identical to the committed ones ({rest})")
    return 0 if counts[Outcome.IDENTICAL] == len(outcomes) else 1
