"""Choosing actions by v*: by the expected value of the next state alone, as the post has it, and by reward and
discounted value together.

Left: states in which a way may take an action that is not optimal. Right: what that costs, in shares of what v* gains
over moving at random; right of the line it is worse than chance. A goal that ends the game has the value 0, so who
looks at values alone walks round it. Random MDPs: a mark per seed; `one reward a state` has the same reward for
whatever happens in a state, and there the two ways agree.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import palette, plotting
from postproof.charts.plotting import percent
from postproof.core import tables
from postproof.mdp.looks import WAYS

TABLES = ("mdp/acting_on_v",)
NAMES = {
    "gridworld": "gridworld",
    "race": "race to mate",
    "recycling_robot": "recycling robot",
    "random": "random",
    "random_state_rewards": "random, one\nreward a state",
}
COLUMNS = {"share_other": "states with another action (%)", "share_lost": "lost of what v* gains over chance (%)"}
APART = 0.17  # of the two ways, in rows


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(args.tables[0])
    gamma = drawn(table)
    rows = table[table["gamma"] == gamma]
    order = list(rows.loc[rows["way"] == "next_value"].groupby("mdp", sort=False)["share_lost"].mean()
                 .sort_values(kind="stable").index)  # fmt: skip
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(plotting.COLUMN, 2.0 + 0.42 * len(order)), sharey=True)
    for axes, (column, label) in zip(panels, COLUMNS.items()):
        draw(axes, rows, order, column)
        axes.set_xlabel(label)
    states = rows.groupby("mdp")["states"].first()
    panels[0].set_yticks(range(len(order)), [f"{NAMES.get(mdp, mdp)} ({states[mdp]:,})" for mdp in order])
    panels[0].set_ylim(-0.6, len(order) - 0.3)
    mark_ways(panels[0], rows, order)
    panels[1].axvline(100, color=palette.DARK_GREY, linewidth=1)
    panels[1].annotate("chance", (100, len(order) - 0.3), (3, 0), textcoords="offset points", va="top",
                       size=plotting.SMALL_POINTS, color=palette.DARK_GREY)  # fmt: skip
    plotting.headed(
        figure,
        says(rows),
        f"Crosses: {WAYS['next_value'].long}. Dots: {WAYS['look_ahead'].long}. In brackets: states of means, terminal"
        f" ones left out; gamma = {gamma:g}; random MDPs: {rows['seed'].nunique()} seeds.",
        plotting.source(TABLES, "Finite MDPs solved exactly."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def read(path: Path) -> pd.DataFrame:
    """Raises ArtefactError unless looking ahead loses nothing: then the MDPs were not solved."""
    table = tables.read(path, *TABLES)
    ahead = table[table["way"] == "look_ahead"]
    tables.must_hold(path, {"looking ahead with the reward loses nothing": (ahead["share_lost"] <= 1e-6).all()})
    return table


def drawn(table: pd.DataFrame) -> float:
    """The rate in the middle of those that there are."""
    gammas = sorted(table["gamma"].unique())
    return gammas[len(gammas) // 2]


def says(rows: pd.DataFrame) -> str:
    """In how many MDPs the value of the next state alone is enough, and where it costs most."""
    lost = rows[rows["way"] == "next_value"].groupby("mdp", sort=False)["share_lost"].mean()
    wrong = lost[lost > 0]
    if wrong.empty:
        return f"In all {len(lost)} MDPs the next state's value alone picks optimal actions"
    name = NAMES.get(wrong.idxmax(), wrong.idxmax()).replace("\n", " ")
    most = percent(wrong.max())
    worse = ", worse than chance" if wrong.max() > 1 else ""
    which = "all" if len(wrong) == len(lost) else f"{len(wrong)} of {len(lost)}"
    return f"By the next state's value alone {which} MDPs lose, most in {name}: {most} of the gain{worse}"


def draw(axes: Axes, rows: pd.DataFrame, order: list[str], column: str) -> None:
    for way, look in WAYS.items():
        shift = APART if way == "look_ahead" else -APART
        of_way = rows[rows["way"] == way]
        axes.plot(100 * of_way[column], [order.index(mdp) - shift for mdp in of_way["mdp"]], color=look.colour,
                  marker=look.marker, linestyle="none", markersize=6, clip_on=False)  # fmt: skip
    axes.set_xlim(-0.04 * limit(rows, column), limit(rows, column))


def limit(rows: pd.DataFrame, column: str) -> float:
    return 108 * max(float(np.max(rows[column])), 0.5 if column == "share_other" else 1.1)


def mark_ways(axes: Axes, rows: pd.DataFrame, order: list[str]) -> None:
    """Names the two marks beside those of the last row."""
    last = rows[rows["mdp"] == order[-1]]
    for way, look in WAYS.items():
        x = 100 * last.loc[last["way"] == way, "share_other"].max()
        y = len(order) - 1 - (APART if way == "look_ahead" else -APART)
        is_left = x < 0.4 * limit(rows, "share_other")
        axes.annotate(look.short, (x, y), (8 if is_left else -8, 0), textcoords="offset points", va="center",
                      ha="left" if is_left else "right", color=look.colour, size=plotting.SMALL_POINTS)  # fmt: skip
