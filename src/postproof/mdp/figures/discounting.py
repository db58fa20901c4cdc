"""What a discount rate does to a reward that is k steps further ahead, and to the return of a task that never ends and
pays 1 at every step.

Below a rate of 1 the return levels off at 1 / (1 - gamma), which is how far ahead one looks; at 1 it grows with every
step. That is why a task that never ends needs a rate below 1.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import palette, plotting
from postproof.core import tables

TABLES = ("mdp/discounting", "mdp/discounting_steps")
COLOURS = (palette.GREY, palette.VERMILLION, palette.ORANGE, palette.GREEN, palette.BLUE, palette.BLACK)
ROUNDING = 1e-6
HALF, LOW = 0.5, 0.05  # weights at which a curve is named, and below which its end is at 0


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    rates, steps = read(args.tables)
    plotting.style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(plotting.COLUMN, 4.4))
    draw_weights(left, steps)
    draw_returns(right, steps, rates)
    plotting.headed(
        figure,
        says(rates, steps),
        "Left: gamma^k, weight of the reward k steps after the next one, which weighs 1. Right: return of the first"
        " rewards, all of them 1; dotted: its limit, 1 / (1 - gamma). Curves: discount rates gamma.",
        plotting.source(TABLES, "Computed from the definition."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def read(paths: list[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Raises ArtefactError unless no return is above its limit, and the first weight is 1."""
    rates, steps = tables.read_all(paths, TABLES)
    limit = steps["gamma"].map(rates.set_index("gamma")["horizon"])
    tables.must_hold(paths[1], {
        "no return is above its limit": (steps["return_so_far"] <= limit.fillna(float("inf")) * (1 + ROUNDING)).all(),
        "the next reward weighs 1": (steps.loc[steps["step"] == 0, "weight"] == 1).all(),
    })  # fmt: skip
    return rates, steps


def says(rates: pd.DataFrame, steps: pd.DataFrame) -> str:
    """How far the largest rate below 1 looks, and whether a rate of 1 has a limit."""
    below = rates.dropna(subset="horizon")
    last = steps["step"].max()
    said = []
    if len(below):
        far = below.loc[below["gamma"].idxmax()]
        said.append(
            f"with a discount of {far['gamma']:g} a reward of one at every step makes {far['horizon']:,.0f} in all"
        )
    if len(below) < len(rates):
        grown = steps.loc[(steps["gamma"] == 1) & (steps["step"] == last), "return_so_far"].iloc[0]
        said.append(f"without discount it makes {grown:,.0f} after {last + 1:,} steps and grows on")
    sentence = "; ".join(said)
    return sentence[0].upper() + sentence[1:]


def draw_weights(axes: Axes, steps: pd.DataFrame) -> None:
    """From k = 1 on, each curve named where it is by itself: at its end, or at half its height."""
    for colour, (gamma, rows) in coloured(steps):
        rows = rows[rows["step"] >= 1]
        axes.plot(rows["step"], rows["weight"], color=colour, linewidth=1.5, clip_on=False)
        is_high = rows["weight"].iloc[-1] > LOW
        at = rows.iloc[-1] if is_high else rows[rows["weight"] <= HALF].iloc[0]
        axes.annotate(f"{gamma:g}", (at["step"], at["weight"]), (5, -3 if is_high else 4), color=colour,
                      textcoords="offset points", size=plotting.SMALL_POINTS, annotation_clip=False)  # fmt: skip
    axes.set(xscale="log", xlabel="steps ahead, k (log)", ylabel="weight of a reward", ylim=(-0.03, 1.06),
             xlim=(1, max(2, steps["step"].max())))  # fmt: skip
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()


def draw_returns(axes: Axes, steps: pd.DataFrame, rates: pd.DataFrame) -> None:
    """Return so far, named at the ends, and its limit."""
    ends = []
    for colour, (gamma, rows) in coloured(steps):
        axes.plot(rows["step"], rows["return_so_far"], color=colour, linewidth=1.5)
        ends.append((rows["step"].max(), rows["return_so_far"].iloc[-1], f"{gamma:g}", colour))
        limit = rates.loc[rates["gamma"] == gamma, "horizon"].iloc[0]
        if not pd.isna(limit):
            axes.axhline(limit, color=colour, linewidth=0.8, linestyle=":")
    axes.set(yscale="log", xlabel="steps ahead, k", ylabel="return of rewards of 1 (log)",
             xlim=(0, steps["step"].max()))  # fmt: skip
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    plotting.name_ends(axes, ends)


def coloured(steps: pd.DataFrame) -> Iterator[tuple[str, tuple[float, pd.DataFrame]]]:
    return zip(itertools.cycle(COLOURS), steps.groupby("gamma"))
