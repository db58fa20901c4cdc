"""Moves until Q-learning walks straight down a corridor, over its length: when only the end is rewarded, and when each
step toward it is, too.

Lines: means; marks: single learners. Where nothing is rewarded on the way, the first episode is a walk at random, and
each later one carries the value of the goal one step further back.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import plotting
from postproof.core import tables
from postproof.mdp.looks import REWARDS

TABLES = ("mdp/sparse_reward",)
NAMES = {"sparse": "the end only", "progress": "every step"}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(args.tables[0])
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 4.4))
    draw(axes, table)
    plotting.headed(
        figure,
        says(table),
        "Moves until the greedy policy goes straight to the goal, by which steps are rewarded. Lines: means; marks: "
        f"{table['seed'].nunique()} learners each.",
        plotting.source(TABLES, "Q-learning in a corridor, a small task of our own."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def read(path: Path) -> pd.DataFrame:
    """Raises ArtefactError when a learner took fewer moves than the way has steps."""
    table = tables.read(path, *TABLES)
    tables.must_hold(path, {"nobody learns in fewer moves than the way": (table["moves"] >= table["length"]).all()})
    return table


def says(table: pd.DataFrame) -> str:
    """How many times as long it takes in the shortest and in the longest corridor."""
    means = table.groupby(["length", "reward"])["moves"].mean().unstack()
    times = means["sparse"] / means["progress"]
    if (times <= 1).any():
        return "Rewarded at the end only, learning takes longer in some corridors and not in others"
    first, last = times.index[0], times.index[-1]
    more = f", {times[last]:,.0f} times in one of {last}" if last > first else ""
    said = f"{times[first]:,.0f} times as many moves in a corridor of {first} steps{more}"
    return f"Rewarded at the end only, learning takes {said}"


def draw(axes: Axes, table: pd.DataFrame) -> None:
    ends = []
    for reward, rows in table.groupby("reward", sort=False):
        look = REWARDS[reward]
        mean = rows.groupby("length")["moves"].mean()
        axes.plot(rows["length"], rows["moves"], color=look.colour, marker=look.marker, linestyle="none", markersize=4,
                  alpha=0.25, markeredgewidth=0)  # fmt: skip
        axes.plot(mean.index, mean, color=look.colour, marker=look.marker, linewidth=1.8)
        ends.append((mean.index[-1], mean.iloc[-1], NAMES[reward], look.colour))
    axes.set(xscale="log", yscale="log", xlabel="steps to the goal (log)", ylabel="moves (log)")
    lengths = sorted(table["length"].unique())
    axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:,.0f}")
    plotting.name_ends(axes, ends)
