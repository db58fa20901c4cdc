"""Backup diagrams of a real p(s', r | s, a): the recycling robot of Sutton and Barto's example 3.3, with numbers of our
own where the book leaves them open.

Above: v and q of the equiprobable policy, a value being the mean of those below it. Below: v* and q*, where the largest
of a state's actions counts: an arc joins them, and the best is green. Circles are states with their v, dots are actions
with their q.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Arc

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.mdp.looks import LOOKS

TABLES = ("mdp/backup_diagram",)
PANELS = {
    "v": "v of a state, by its policy",
    "q": "q of an action, by its policy",
    "v_star": "v* of a state",
    "q_star": "q* of an action",
}
HEIGHTS = (2.0, 1.05, 0.0)  # of root, middle and leaves
ROUNDING = 1e-6  # of the table's nine digits, relative


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(args.tables[0])
    plotting.style()
    figure, grid = plt.subplots(2, 2, figsize=(plotting.COLUMN, 7.2))
    for axes, (diagram, title) in zip(grid.flat, PANELS.items()):
        draw(axes, table[table["diagram"] == diagram].set_index("node"))
        axes.set_title(title, fontsize=10, loc="left")
    gamma = table["gamma"].iloc[0]
    plotting.headed(
        figure,
        says(table),
        f"Circles: states with v. Dots: actions with q. On the way: probability, reward r. gamma = {gamma:g}, values"
        " in rewards. Policy: each action equally often. Arc: the largest counts; green: the best action.",
        plotting.source(TABLES, "Recycling robot of Sutton and Barto's example 3.3, four numbers ours."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def read(path: Path) -> pd.DataFrame:
    """Raises ArtefactError unless each value is what those below it make: r + gamma v, weighted, or the largest q."""
    table = tables.read(path, *TABLES)
    tables.must_hold(path, {"a value is backed up from those below": all(backs_up(table, name) for name in PANELS)})
    return table


def backs_up(table: pd.DataFrame, diagram: str) -> bool:
    rows = table[table["diagram"] == diagram].set_index("node")
    gamma = rows["gamma"].iloc[0]
    for node, below in rows.dropna(subset="parent").groupby("parent"):
        if below["kind"].iloc[0] == "state":
            backed = (below["weight"] * (below["reward"] + gamma * below["value"])).sum()
        elif diagram in ("v", "q"):
            backed = (below["weight"] * below["value"]).sum()
        else:
            backed = below["value"].max()
        if not np.isclose(rows.loc[node, "value"], backed, rtol=ROUNDING, atol=ROUNDING):
            return False
    return True


def says(table: pd.DataFrame) -> str:
    """What acting optimally changes at the roots, and which actions are best."""
    roots = table[table["parent"].isna()].set_index("diagram")
    state = roots.loc["v", "name"]
    gain = roots.loc["v_star", "value"] - roots.loc["v", "value"]
    below = table[(table["diagram"] == "v_star") & (table["parent"] == 0) & (table["is_best"] == 1)]
    best = " or ".join(below["name"])
    value = f"State {state} is worth {roots.loc['v', 'value']:.1f} as the mean over its actions"
    if gain <= ROUNDING:
        return f"{value}, and no policy makes more of it"
    return f"{value}, and {roots.loc['v_star', 'value']:.1f} by the best of them: {best}"


def places(rows: pd.DataFrame) -> dict[int, tuple[float, float]]:
    """Leaves evenly from left to right, every other node over the middle of what it leads to."""
    parents = set(rows["parent"].dropna().astype(int))
    leaves = [node for node in rows.index if node not in parents]
    place = {node: (i + 0.5, HEIGHTS[2]) for i, node in enumerate(leaves)}
    for node in reversed(rows.index):
        if node in parents:
            below = rows.index[rows["parent"] == node]
            height = HEIGHTS[0] if pd.isna(rows.loc[node, "parent"]) else HEIGHTS[1]
            place[node] = (float(np.mean([place[child][0] for child in below])), height)
    return place


def draw(axes: Axes, rows: pd.DataFrame) -> None:
    place = places(rows)
    right = sum(y == HEIGHTS[2] for _, y in place.values())
    is_optimal = rows.loc[rows["kind"] == "action", "weight"].isna().all()
    leaves_are_states = rows.loc[max(place), "kind"] == "state"
    for node, row in rows.iterrows():
        x, y = place[node]
        colour = LOOKS["best"].colour if is_optimal and row["is_best"] else palette.BLACK
        if not pd.isna(row["parent"]):
            x0, y0 = place[int(row["parent"])]
            axes.plot([x0, x], [y0, y], color=colour if row["kind"] == "action" else palette.GREY, linewidth=1.2,
                      zorder=1)  # fmt: skip
            label = f"{row['weight']:.2g}\nr {row['reward']:g}" if row["kind"] == "state" else ""
            if row["kind"] == "action" and not pd.isna(row["weight"]):
                label = f"{row['weight']:.2g}"
            t = 0.55
            if label:
                axes.text(x0 + t * (x - x0), y0 + t * (y - y0), label, size=7.5, ha="center", va="center",
                          color=palette.DARK_GREY, linespacing=1.0,
                          bbox={"facecolor": palette.WHITE, "edgecolor": "none", "pad": 0.6}, zorder=2)  # fmt: skip
        if row["kind"] == "state":
            axes.plot([x], [y], marker="o", markersize=25, markerfacecolor=palette.WHITE, markeredgecolor=colour,
                      zorder=3)  # fmt: skip
            axes.text(x, y, f"{row['value']:.1f}", size=8, ha="center", va="center", zorder=4)
            name(axes, row["name"], x, y, below=y == HEIGHTS[2], away=17)
        else:
            axes.plot([x], [y], marker="o", markersize=8, color=colour, zorder=3)
            text = f"{row['name']}\n{row['value']:.1f}"
            if y == HEIGHTS[1]:
                axes.annotate(text, (x, y), (7, 0), textcoords="offset points", size=8, va="center", color=colour,
                              bbox={"facecolor": palette.WHITE, "edgecolor": "none", "pad": 0.4}, zorder=4,
                              **plotting.AS_TYPED)  # fmt: skip
            else:
                name(axes, text, x, y, below=y == HEIGHTS[2], away=8, colour=colour)
    if is_optimal:
        arcs(axes, rows, place)
    axes.set(xlim=(-0.15, right + 0.3), ylim=(-0.62 if leaves_are_states else -0.7, 2.5), xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)


def name(axes: Axes, text: str, x: float, y: float, *, below: bool, away: float, colour: str = palette.BLACK) -> None:
    axes.annotate(text, (x, y), (0, -away if below else away), textcoords="offset points", size=8, ha="center",
                  va="top" if below else "bottom", color=colour, zorder=4, **plotting.AS_TYPED)  # fmt: skip


def arcs(axes: Axes, rows: pd.DataFrame, place: dict[int, tuple[float, float]]) -> None:
    """Under each state whose actions are drawn: the largest of them counts."""
    for parent, below in rows[rows["kind"] == "action"].dropna(subset="parent").groupby("parent"):
        x, y = place[int(parent)]
        ends = [np.degrees(np.arctan2(place[node][1] - y, place[node][0] - x)) for node in below.index]
        if len(ends) > 1:
            axes.add_patch(Arc((x, y), 1.0, 0.86, theta1=min(ends), theta2=max(ends), color=LOOKS["best"].colour,
                               linewidth=1.4, zorder=2))  # fmt: skip
