"""The same gridworld played optimally: v* beside what Sutton and Barto print in figure 3.5, and every move that is
optimal, as arrows from each cell.

Large: ours, by policy iteration. Small, grey: what the book prints. From a cell with a letter every move jumps, so all
four are optimal.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import plotting
from postproof.core import tables
from postproof.mdp.figures import cells
from postproof.mdp.looks import LOOKS

TABLES = ("mdp/gridworld_values", "mdp/gridworld_optimal")
POLICY = "optimal"
DIRECTIONS = {"north": (0, -1), "south": (0, 1), "east": (1, 0), "west": (-1, 0)}
LENGTH = 0.33  # of an arrow, in cells
ROUNDING = 1e-6


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, moves = read(args.tables)
    plotting.style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(plotting.COLUMN, cells.height(table)))
    cells.draw_values(left, table)
    left.set_title("v*", fontsize=10, loc="left")
    draw_moves(right, table, moves)
    right.set_title("optimal moves", fontsize=10, loc="left")
    plotting.headed(
        figure,
        says(table, moves),
        "Left: largest expected discounted return from each cell, in rewards; small: the book's figure 3.5. Right: an "
        "arrow for each move that no other beats; letters: cells from which every move jumps.",
        plotting.source(TABLES, "Gridworld of Sutton and Barto's example 3.5, solved exactly."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def read(paths: list[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Raises ArtefactError unless v* of each cell is the largest q* there."""
    values, moves = tables.read_all(paths, TABLES)
    table = values[values["policy"] == POLICY].reset_index(drop=True)
    largest = moves.groupby(["row", "column"], sort=False)["value"].max().to_numpy()
    agree = len(largest) == len(table) and (abs(largest - table["value"]) <= ROUNDING * (1 + abs(largest))).all()
    tables.must_hold(paths[1], {"v* is the largest q*": agree})
    return table, moves


def says(table: pd.DataFrame, moves: pd.DataFrame) -> str:
    """Beside the book, and how many cells leave a choice."""
    best = moves.groupby(["row", "column"])["is_best"].sum()
    several = int((best > 1).sum())
    choice = f"{several} of {len(best)} cells have several optimal moves" if several else "each cell has one best move"
    return f"{cells.beside_the_book(table, 'of v*')}; {choice}"


def draw_moves(axes: Axes, table: pd.DataFrame, moves: pd.DataFrame) -> None:
    jumps = {(row["row"], row["column"]): row["jump"] for _, row in table.dropna(subset="jump").iterrows()}
    cells.draw_frame(axes, table)
    for _, move in moves[moves["is_best"] == 1].iterrows():
        x, y = move["column"], move["row"]
        right, down = DIRECTIONS[move["move"]]
        start = 0.14 if (y, x) in jumps else 0.0  # leaves room for the letter
        axes.annotate("", (x + (start + LENGTH) * right * 0.9, y + (start + LENGTH) * down * 0.9),
                      (x + start * right, y + start * down),
                      arrowprops={"arrowstyle": "-|>", "color": LOOKS["best"].colour, "linewidth": 1.3,
                                  "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9})  # fmt: skip
    for (y, x), name in jumps.items():
        axes.text(x, y, name, size=10, weight="bold", ha="center", va="center")
