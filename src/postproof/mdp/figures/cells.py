"""Cells of a gridworld with values, ours large and the book's small, and what a heading says of the two."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from postproof.charts import palette, plotting
from postproof.mdp.looks import LOOKS

DIGITS = 1  # that the book prints
COLOURS = LinearSegmentedColormap.from_list("values", [palette.ORANGE, palette.WHITE, LOOKS["value"].colour])


def height(table: pd.DataFrame) -> float:
    """Inches of a figure whose cells are wider than high."""
    return 2.0 + 0.72 * min(10, int(table["row"].max()) + 1)


def draw_values(axes: Axes, table: pd.DataFrame) -> None:
    most = max(table["value"].abs().max(), 1e-12)
    for _, row in table.iterrows():
        colour = COLOURS(0.5 + 0.4 * row["value"] / most)
        axes.add_patch(Rectangle((row["column"] - 0.5, row["row"] - 0.5), 1, 1, facecolor=colour,
                                 edgecolor=palette.LIGHT_GREY))  # fmt: skip
        axes.text(row["column"], row["row"] - 0.06, f"{row['value']:.3f}", size=10, ha="center", va="center")
        if not np.isnan(row["printed"]):
            axes.text(row["column"], row["row"] + 0.3, f"book {row['printed']:.{DIGITS}f}", ha="center", va="center",
                      size=plotting.SMALL_POINTS, color=LOOKS["book"].colour)  # fmt: skip
    frame(axes, table)


def draw_frame(axes: Axes, table: pd.DataFrame) -> None:
    """Empty cells."""
    for _, row in table.iterrows():
        axes.add_patch(Rectangle((row["column"] - 0.5, row["row"] - 0.5), 1, 1, facecolor="none",
                                 edgecolor=palette.LIGHT_GREY))  # fmt: skip
    frame(axes, table)


def frame(axes: Axes, table: pd.DataFrame) -> None:
    axes.set(xlim=(-0.52, table["column"].max() + 0.52), ylim=(table["row"].max() + 0.52, -0.52), xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)


def misses(table: pd.DataFrame) -> pd.Series:
    """How far each value is from the printed one, where there is one."""
    printed = table.dropna(subset="printed")
    return (printed["value"] - printed["printed"]).abs()


def beside_the_book(table: pd.DataFrame, whose: str) -> str:
    """How many values round to the book's, and by how much they miss it."""
    off = misses(table)
    if off.empty:
        return f"{len(table)} values {whose}, from {table['value'].min():.1f} to {table['value'].max():.1f}"
    half = 0.5 * 10.0**-DIGITS + 1e-9
    agree = int((off <= half).sum())
    if agree == len(off):
        return f"All {agree} values {whose} round to the book's digits; the largest difference is {off.max():.3f}"
    return f"{agree} of {len(off)} values {whose} round to the book's digits; others are off by up to {off.max():.2g}"
