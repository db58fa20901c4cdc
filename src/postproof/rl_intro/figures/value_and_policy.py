"""The maze four times: the rewards, the exact values with all best actions, and what two agents have learned of them.

Numbers and shades: the largest reward of a state's actions, v*, and the largest learned value, a mean over the seeds.
Arrows lead where an action most likely leads; learned ones are as dark as often the greedy agent takes them.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.rl_intro.looks import LEARNERS

TABLES = ("rl_intro/value_and_policy",)
TEXT_POINTS = 6.6
ROOM_FOR_TEXT = 14  # columns, beyond which numbers would touch
SEEN = 0.15  # arrows of a smaller share would hide the others


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    [table] = tables.read_all(args.tables, TABLES)
    best = table.groupby(["agent", "state"])
    tables.must_hold(args.tables[0], {
        "v* is the largest q*": ((best["q_exact"].max() - best["v_exact"].first()).abs() < 1e-6).all(),
        "some action is optimal": (best["optimal"].max() == 1).all(),
        "shares of a state's actions sum to 1": ((best["greedy_share"].sum() - 1).abs() < 1e-6).all(),
    })  # fmt: skip
    planned = table.groupby("agent")["planning_steps"].first()
    plain, planner = "q_learning", planned.idxmax()
    plotting.style()
    shape = min(1.2, (1 + table["row_after"].max()) / (1 + table["column_after"].max()))
    figure, panels = plt.subplots(2, 2, figsize=(plotting.COLUMN, 1.75 + plotting.COLUMN * 0.93 * shape))
    exact = table[table["agent"] == plain]
    learned = {agent: table[table["agent"] == agent] for agent in (plain, planner)}
    draw(panels[0, 0], exact, "largest", None, "reward of the best-paid action")
    draw(panels[0, 1], exact, "v_exact", "optimal", "v*, exact, and every best action")
    draw(panels[1, 0], learned[plain], "v_learned", "greedy_share", f"learned by {LEARNERS[plain].short}")
    draw(panels[1, 1], learned[planner], "v_learned", "greedy_share",
         f"learned by {LEARNERS[planner].short}, {planned[planner]} planned steps")  # fmt: skip
    plotting.headed(
        figure, says(exact, learned[plain]),
        "A cell is a state, arrows are actions; discounted values. Learned values are means over the seeds after the "
        "last episode, arrows as dark as seeds often act so. Empty: walls and the goal.",
        plotting.source(TABLES, f"World: {table['world'].iloc[0]}."),
    )  # fmt: skip
    plotting.save(figure, args.out_svg, args.out_png)


def says(exact: pd.DataFrame, plain: pd.DataFrame) -> str:
    """In how many states a reward is in reach, and in how many values tell what to do, exact and learned."""
    states = exact.groupby("state")
    told = int((states["reward"].max() != states["reward"].min()).sum())
    valued = int((states["q_exact"].max() - states["q_exact"].min() > 1e-9).sum())
    right = plain.assign(right=plain["greedy_share"] * plain["optimal"]).groupby("state")["right"].sum().mean()
    return (
        f"Rewards tell actions apart in {told} of {len(states)} states, values in {valued}; greedy by learned values, "
        f"Q-learning without planning is right in {plotting.percent(right)} of them"
    )


def draw(axes: Axes, rows: pd.DataFrame, shade: str, arrows: str | None, title: str) -> None:
    states = rows.groupby("state").agg(row=("row", "first"), column=("column", "first"), largest=("reward", "max"),
                                       v_exact=("v_exact", "first"), v_learned=("v_learned", "first"))  # fmt: skip
    span = max(states["v_exact"].abs().max(), states["largest"].abs().max(), 1e-9)
    last_row = max(rows["row"].max(), rows["row_after"].max())
    last_column = max(rows["column"].max(), rows["column_after"].max())
    text = last_column < ROOM_FOR_TEXT
    values = states[shade]
    shades = [to_rgba(palette.SKY if value >= 0 else palette.ORANGE, 0.75 * min(1, abs(value) / span))
              for value in values]  # fmt: skip
    cells = [Rectangle((x - 0.5, y - 0.5), 1, 1) for x, y in zip(states["column"], states["row"])]
    axes.add_collection(PatchCollection(cells, facecolors=shades, edgecolors=palette.LIGHT_GREY, linewidths=0.5))
    for x, y, value in zip(states["column"], states["row"], values if text else []):
        shown = f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
        axes.text(x, y - 0.26, shown if value else "0", size=TEXT_POINTS, ha="center", va="center")
    if arrows:
        moves = (rows["row"] - rows["row_after"]).abs() + (rows["column"] - rows["column_after"]).abs() == 1
        point(axes, rows[moves & (rows[arrows] >= SEEN)], arrows)
    axes.set(xlim=(-0.5, last_column + 0.5), ylim=(last_row + 0.5, -0.5), aspect="equal", xticks=[], yticks=[])
    axes.grid(False)
    axes.set_title(title, fontsize=9.5, loc="left")
    for spine in axes.spines.values():
        spine.set(visible=True, color=palette.LIGHT_GREY)


def point(axes: Axes, ways: pd.DataFrame, share: str) -> None:
    """Arrows in the lower part of the cells, below their numbers."""
    right, down = ways["column_after"] - ways["column"], ways["row_after"] - ways["row"]
    axes.quiver(
        ways["column"], ways["row"] + 0.2, 0.3 * right, 0.26 * down, angles="xy", scale_units="xy", scale=1, units="x",
        color=[to_rgba(palette.BLACK, min(1, alpha)) for alpha in ways[share]], width=0.038, headwidth=5, headlength=5,
        headaxislength=4.5,
    )  # fmt: skip
