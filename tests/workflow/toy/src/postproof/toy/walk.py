"""Walk at random, by steps from 0 to the mean length of the words."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import files

PAUSE = "TOY_PAUSE"  # a file: while it is there the walk waits, so that a test can act under its hands


def add_arguments(parser) -> None:
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)


def main(args) -> None:
    scale = files.read_json(args.words)["mean_length"]
    wait()
    steps = np.random.default_rng(args.seed).uniform(0, scale, args.steps)
    rows = {"seed": args.seed, "step": range(1, args.steps + 1), "position": steps.cumsum()}
    files.write_csv(args.out, pd.DataFrame(rows))


def wait() -> None:
    pause = os.environ.get(PAUSE)
    if pause:
        Path(f"{pause}.reached").touch()
    deadline = time.monotonic() + 60
    while pause and Path(pause).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
