"""The 10-armed testbed: the post's example problem, and how much the best arm of a random problem gives.

The expected best of k values from N(0, 1) is the integral of x k phi(x) Phi(x)^(k - 1), by the trapezoid rule: for such
a function it is exact to rounding.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.bandits.games import Problems, best_values
from postproof.bandits.runs import mean_and_error
from postproof.bandits.settings import ExampleOnTestbed
from postproof.core import settings, tables

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BIN = 0.25  # width of a bar of the best values
REACH, POINTS = 12.0, 4801  # of the integral, standard deviations to either side


def add_arguments(parser) -> None:
    parser.add_argument("--settings", nargs=2, required=True, help="params sections testbed and example, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per arm of the example")
    parser.add_argument("--out-best", type=Path, required=True, help="tidy CSV, a row per bar of best values")
    parser.add_argument("--out-possible", type=Path, required=True, help="tidy CSV, one row: the best possible")


def main(args) -> None:
    of = settings.parse(ExampleOnTestbed, *args.settings)
    best_P = best_values(Problems(of.problems, of.steps, of.arms), of.seed)
    tables.write(args.out, example(of), "bandits/testbed")
    tables.write(args.out_best, bars(best_P), "bandits/testbed_best")
    tables.write(args.out_possible, possible(of, best_P), "bandits/testbed_possible")


def example(of: ExampleOnTestbed) -> pd.DataFrame:
    """Of each arm: its value, and quantiles of rewards drawn."""
    rng = np.random.Generator(np.random.SFC64(of.seed))
    rows = []
    for arm, value in enumerate(of.values, start=1):
        rewards = value + math.sqrt(of.reward_variance) * rng.standard_normal(of.draws)
        quantiles = np.quantile(rewards, QUANTILES)
        named = {f"q{round(100 * share):02d}": quantile for share, quantile in zip(QUANTILES, quantiles)}
        rows.append({"arm": arm, "value": value} | named | {"negative": np.count_nonzero(rewards < 0) / of.draws})
    return pd.DataFrame(rows)


def bars(best_P: np.ndarray) -> pd.DataFrame:
    """The share of problems whose best value lies in each bar."""
    bar_P = np.floor(best_P / BIN).astype(int)
    numbers = np.arange(bar_P.min(), bar_P.max() + 1)
    shares = [np.count_nonzero(bar_P == number) / len(best_P) for number in numbers]
    return pd.DataFrame({"lower": numbers * BIN, "upper": (numbers + 1) * BIN, "share": shares})


def possible(of: ExampleOnTestbed, best_P: np.ndarray) -> pd.DataFrame:
    [drawn], [error] = mean_and_error(best_P[:, None])
    return pd.DataFrame([{
        "arms": of.arms, "problems": of.problems, "expected": expected_best(of.arms), "drawn": drawn, "error": error,
        "below_five": phi(5.0),
    }])  # fmt: skip


def expected_best(arms: int) -> float:
    """The expected greatest of so many numbers from N(0, 1)."""
    x, step = np.linspace(-REACH, REACH, POINTS), 2 * REACH / (POINTS - 1)
    terms = [t * arms * math.exp(-t * t / 2) / math.sqrt(2 * math.pi) * phi(t) ** (arms - 1) for t in x.tolist()]
    return math.fsum(terms) * step


def phi(x: float) -> float:
    """Phi(x), the share of N(0, 1) below x."""
    return math.erfc(-x / math.sqrt(2)) / 2
