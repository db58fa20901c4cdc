"""The gridworld of Sutton and Barto's example 3.5: where it leads and what it pays, and the value of each cell when
every move is as likely (figure 3.2).

Large: ours, from the linear system that the Bellman equation is. Small, grey: what the book prints.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import plotting
from postproof.core import tables
from postproof.mdp.figures import cells

TABLES = ("mdp/gridworld_values",)
POLICY = "equiprobable"


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(args.tables[0])
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, cells.height(table)))
    cells.draw_values(axes, table)
    mark_jumps(axes, table)
    plotting.headed(
        figure,
        says(table),
        "Expected discounted return from each cell, in rewards; every move equally likely. Small: the book's figure"
        " 3.2. Letters: cells from which every move jumps. Blue is above 0, orange below.",
        plotting.source(TABLES, "Gridworld of Sutton and Barto's example 3.5, solved exactly."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def read(path: Path) -> pd.DataFrame:
    table = tables.read(path, *TABLES)
    return table[table["policy"] == POLICY].reset_index(drop=True)


def says(table: pd.DataFrame) -> str:
    """How many values round to the book's, and by how much they miss it."""
    return cells.beside_the_book(table, "of the equiprobable policy")


def mark_jumps(axes: Axes, table: pd.DataFrame) -> None:
    for _, row in table.dropna(subset="jump").iterrows():
        axes.text(row["column"] - 0.4, row["row"] - 0.3, row["jump"], ha="center", va="center", size=11, weight="bold")
