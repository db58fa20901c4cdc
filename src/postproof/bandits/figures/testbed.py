"""Mean of the first random numbers, for each seed."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import palette, plotting
from postproof.core import tables

TABLES = ("bandits/testbed",)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    [table] = tables.read_all(args.tables, TABLES)
    tables.must_hold(args.tables[0], {"every seed has as many draws": table.groupby("seed").size().nunique() == 1})
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 4.4))
    for _, run in table.groupby("seed"):
        axes.plot(run["draw"], run["mean"], color=palette.BLUE, linewidth=0.8)
    axes.set(xlabel="draws", ylabel="mean")
    seeds = table["seed"].nunique()
    plotting.headed(figure, says(table), f"Mean of all numbers so far. Lines: {seeds} seeds.",
                    plotting.source(TABLES, "Draws of our own."))  # fmt: skip
    plotting.save(figure, args.out_svg, args.out_png)


def says(table: pd.DataFrame) -> str:
    """Between which numbers the means end."""
    draws, last = table["draw"].max(), table.groupby("seed")["mean"].last()
    return f"After {draws} draws the means lie between {last.min():.2f} and {last.max():.2f}"
