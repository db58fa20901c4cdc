"""Reward and share of the best arm over the steps, of greedy and epsilon-greedy agents with sample averages: over a
run of the posted length, and on a logarithmic axis far beyond it, to where little exploration overtakes more.

Crosses: the rewards and the highest share that the post gives.
"""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.bandits import looks
from postproof.bandits.figures import drawing
from postproof.charts import palette, plotting, posted_marks
from postproof.charts.plotting import percent
from postproof.core import tables

TABLES = ("bandits/epsilon_greedy", "bandits/epsilon_greedy_crossing", "bandits/epsilon_greedy_caps",
          "bandits/posted_levels", "bandits/posted_cap")  # fmt: skip
AGENTS = looks.among("greedy", "small_epsilon", "large_epsilon")
POSTED_STEPS = 1000  # of the left panels, as in the book


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, crossing, caps, levels, cap = tables.read_all(args.tables, TABLES)
    drawing.check_curves(args.tables[0], table, AGENTS)
    epsilon = table.groupby("agent")["epsilon"].first()
    limit = caps.set_index("agent")["best_share_cap"].reindex(epsilon.index)
    tables.must_hold(args.tables[2], {"a cap leaves what is not explored": limit.between(1 - epsilon, 1).all()})
    last = table["last_step"].max()
    plotting.style()
    figure, grid = plt.subplots(2, 2, figsize=(plotting.COLUMN, 6.6), sharey="row")
    names = {agent: f"ε = {epsilon:g}" for agent, epsilon in zip(table["agent"], table["epsilon"])}
    ends = []
    for row, measure in zip(grid, drawing.AXIS):
        for axes, until in zip(row, (min(POSTED_STEPS, last), last)):
            named = drawing.draw_curves(axes, table, measure, AGENTS, names, until)
        ends.append(named)
        drawing.linear_steps(row[0], min(POSTED_STEPS, last))
        drawing.log_steps(row[1], last)
        row[1].set_ylabel("")
        mark_crossing(row[1], crossing, measure)
    draw_posted(grid, levels, cap)
    plotting.headed(
        figure,
        says(table, crossing),
        "Sample averages from 0, ties broken at random; means over problems, band: 95 % of such means. Left: the "
        "first "
        f"{drawing.steps(min(POSTED_STEPS, last))}, right: all {last:,}. Dotted: from where the smaller ε stays "
        "ahead; grey: neither is, by a 95 % interval. "
        "Crosses: the post.",
        plotting.source(TABLES, "Runs of our own on the testbed."),
    )
    for row, named in zip(grid, ends):
        plotting.name_ends(row[1], named)
    plotting.save(figure, args.out_svg, args.out_png)


def mark_crossing(axes: Axes, crossing: pd.DataFrame, measure: str) -> None:
    row = at_step(crossing, measure)
    if not math.isnan(row["ahead_from"]):
        axes.axvline(row["ahead_from"], color=palette.DARK_GREY, linestyle=":", linewidth=1.2)
        axes.annotate(f"{row['ahead_from']:,.0f}", (row["ahead_from"], 0.03), xycoords=("data", "axes fraction"),
                      xytext=(-3, 0), textcoords="offset points", ha="right", size=plotting.SMALL_POINTS,
                      color=palette.DARK_GREY)  # fmt: skip
    if not row[["behind_until", "surely_ahead_from"]].isna().any():
        axes.axvspan(row["behind_until"], row["surely_ahead_from"], color=palette.PALE_GREY, linewidth=0, zorder=0)


def draw_posted(grid, levels: pd.DataFrame, cap: pd.DataFrame) -> None:
    """At the end of the left panels: the posted rewards and the posted highest share."""
    reward, share = grid[0][0], grid[1][0]
    words = {"best_possible": "the post: possible", "greedy": "the post: greedy"}
    for level, value in zip(levels["level"], levels["reward"]):
        posted_marks.mark(reward, [reward.get_xlim()[1]], [value], clip_on=False)
        posted_marks.beside(reward, f"{words[level]} {value:g}", reward.get_xlim()[1], value, (-8, 8), ha="right")
    for value in cap["best_share_percent"] / 100:
        posted_marks.mark(share, [share.get_xlim()[1]], [value], clip_on=False)
        posted_marks.beside(
            share, f"the post: at most {percent(value)}", share.get_xlim()[1], value, (-8, 8), ha="right"
        )
    reward.set_ylim(top=max(reward.get_ylim()[1], levels["reward"].max() + 0.15))
    share.set_ylim(0, 1)


def at_step(crossing: pd.DataFrame, measure: str) -> pd.Series:
    """The row of a measure, compared at each step itself."""
    return crossing[(crossing["measure"] == measure) & (crossing["reading"] == "at_step")].iloc[0]


def says(table: pd.DataFrame, crossing: pd.DataFrame) -> str:
    """Between which steps the smaller epsilon overtakes the larger for good, and where greedy ends."""
    epsilon = table.groupby("agent")["epsilon"].first()
    small, large = (f"ε = {epsilon[agent]:g}" for agent in ("small_epsilon", "large_epsilon"))
    reward, share = (overtakes(at_step(crossing, measure)) for measure in drawing.AXIS)
    if reward is None:
        compared = f"{small} does not overtake {large} for sure within {drawing.steps(table['last_step'].max())}"
    else:
        later = f", by the best arm's share {share}" if share else ""
        compared = f"{small} overtakes {large} by reward {reward}{later}"
    greedy = table[table["agent"] == "greedy"].iloc[-1]
    return f"{compared}; greedy stays at {greedy['reward']:.2f}, with the best arm in {percent(greedy['best_share'])}"


def overtakes(row: pd.Series) -> str | None:
    """When it does, as surely as an interval says; nothing if it does not."""
    behind, ahead = row["behind_until"], row["surely_ahead_from"]
    if math.isnan(ahead):
        return None
    return f"before step {ahead:,.0f}" if math.isnan(behind) else f"between steps {behind:,.0f} and {ahead:,.0f}"
