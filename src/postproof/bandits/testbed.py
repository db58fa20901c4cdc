"""Follow the mean of random numbers from 0 to 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from postproof.bandits.settings import Testbed
from postproof.core import settings, tables


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section bandits.testbed, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per seed and draw")


def main(args) -> None:
    tables.write(args.out, means(settings.parse(Testbed, args.settings)), "bandits/testbed")


def means(settings: Testbed) -> pd.DataFrame:
    """The mean of the first n numbers of each seed, for every n."""
    draw = np.arange(1, settings.draws + 1)
    parts = []
    for seed in settings.seeds:
        numbers = np.random.default_rng(seed).random(settings.draws)
        parts.append(pd.DataFrame({"seed": seed, "draw": draw, "mean": numbers.cumsum() / draw}))
    return pd.concat(parts, ignore_index=True)
