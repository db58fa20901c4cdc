"""Join the runs at several FLOP budgets into a tidy table, and say how large the gap is and how many seeds tell it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import runs, tables
from postproof.core.errors import ArtefactError
from postproof.mixtral.budgets import add_arguments_of_budgets, budgets_flops

NUMBERS = ["step", "cumulative_flops", "val_loss_fixed_windows"]
GAP_COLUMNS = [
    *["width", "budget_flops", "seeds", "gap_nats", "gap_sd", "gap_low", "gap_high", "perplexity_reduction"],
    *["seeds_needed_paired", "seeds_needed_unpaired"],
]
ALPHA, POWER = 0.05, 0.8
MOST_SEEDS = 1000
LARGEST_EFFECT = 100  # two seeds tell it by far


def add_arguments(parser) -> None:
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="CSV of every run that counts")
    add_arguments_of_budgets(parser)
    parser.add_argument("--out-points", type=Path, required=True, help="tidy CSV, a row per run and budget")
    parser.add_argument("--out-gap", type=Path, required=True, help="CSV, a row per width and budget")


def main(args) -> None:
    points = tidy(args.runs, budgets_flops(args))
    tables.write(args.out_points, points, "mixtral/isoflop")
    tables.write(args.out_gap, gaps(points), "mixtral/isoflop_gap")


def tidy(paths: Sequence[Path], budgets: Sequence[float]) -> pd.DataFrame:
    """A row per width, arm, seed and budget, in this order. Runs are named {arm}_d{width}-seed{seed}.

    Raises ArtefactError when a run is damaged, is not the one that its name says, or lacks a budget.
    """
    parts = []
    for path in paths:
        width = re.search(r"_d(\d+)-seed", path.stem)
        run = runs.read(path, NUMBERS, variant=f"_d{width[1]}" if width else "_d(width)")
        reached = [run.loc[run["cumulative_flops"] >= budget].head(1) for budget in budgets]
        if any(rows.empty for rows in reached):
            raise ArtefactError("run ends before the largest budget", file=path, budgets=budgets)
        parts.append(pd.concat(reached).assign(width=int(width[1]), budget_flops=budgets))
    table = pd.concat(parts).rename(columns={"val_loss_fixed_windows": "val_loss"})
    table["val_perplexity"] = np.exp(table["val_loss"])
    columns = ["width", "arm", "seed", "budget_flops", *NUMBERS[:-1], "val_loss", "val_perplexity"]
    return table[columns].sort_values(columns[:4], ignore_index=True)


def gaps(points: pd.DataFrame) -> pd.DataFrame:
    """A row per width and budget; the gap is the dense arm's validation loss minus the MoE's, both of one seed.

    The interval is of the mean gap. How many seeds are needed is asked of a t test (two-sided, 5 %) that tells the gap
    from none in 80 % of repetitions: paired, with both arms on the same batches as here, and not. With one seed, what
    needs a deviation is left empty.
    """
    from scipy import stats

    rows = []
    for (width, budget), group in points.groupby(["width", "budget_flops"]):
        loss = group.pivot(index="seed", columns="arm", values="val_loss")
        gap, n = loss["dense"] - loss["moe"], len(loss)
        row = {"width": width, "budget_flops": budget, "seeds": n, "gap_nats": gap.mean()}
        row |= {"perplexity_reduction": 1 - np.exp(-gap.mean())}
        if n > 1:
            reach = stats.t.ppf(0.975, n - 1) * gap.std() / np.sqrt(n)
            dense_sd, moe_sd = loss["dense"].std(), loss["moe"].std()
            row |= {"gap_sd": gap.std(), "gap_low": gap.mean() - reach, "gap_high": gap.mean() + reach}
            with np.errstate(divide="ignore"):
                paired, unpaired = gap.mean() / gap.std(), gap.mean() / np.hypot(dense_sd, moe_sd)
            row["seeds_needed_paired"] = seeds_needed(paired, lambda seeds: seeds - 1)
            row["seeds_needed_unpaired"] = seeds_needed(unpaired, lambda seeds: 2 * (seeds - 1))
        rows.append(row)
    return pd.DataFrame(rows, columns=GAP_COLUMNS)


def seeds_needed(effect: float, degrees_of_freedom: Callable[[int], int]) -> int:
    """The least number of seeds per arm, from 2 on, at which a t test of `effect` (mean over deviation) has the power.

    Under the alternative the statistic's square follows the noncentral F distribution with 1 degree of freedom above
    and noncentrality effect^2 n. MOST_SEEDS stands for that many or more.
    """
    from scipy import stats

    effect = min(abs(effect), LARGEST_EFFECT)
    for seeds in itertools.count(2):
        df = degrees_of_freedom(seeds)
        critical = stats.t.ppf(1 - ALPHA / 2, df)
        if seeds == MOST_SEEDS or stats.ncf.sf(critical**2, 1, df, effect**2 * seeds) >= POWER:
            return seeds
    raise AssertionError
