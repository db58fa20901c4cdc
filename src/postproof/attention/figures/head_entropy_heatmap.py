"""Mean attention entropy of every head by layer, under the posted protocol and over real tokens alone.
Of one model; the value stands in each cell.

The first model of the table is the one to be drawn.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.attention.looks import model_name
from postproof.charts import palette, plotting
from postproof.core import tables

TABLES = ("attention/heads", "attention/head_limits")
# Protocol, column and title of each panel.
PANELS = [
    ("as_posted", "entropy", "padded, all rows\n(as posted), nats"),
    ("real_tokens", "entropy", "rows of real tokens,\nnats"),
    ("real_tokens", "entropy_share", "rows of real tokens,\nshare of the largest possible"),
]
SMALLEST_CELL_INCHES = 0.24  # high, for a value to be legible in it


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    heads, limits = tables.read_all(args.tables, TABLES)
    model = heads["model"].iloc[0]
    heads = heads[heads["model"] == model]
    limit_of = limits[limits["model"] == model].set_index("protocol")["entropy_limit"]
    check(heads, limit_of, args.tables[0])
    of_model = limits[limits["model"] == model].iloc[0]
    grids = [
        heads[heads["protocol"] == protocol].pivot(index="layer", columns="head", values=column)
        for protocol, column, _ in PANELS
    ]
    layers, across = grids[0].shape
    plotting.style()
    size = (3 * (0.33 * across + 1.1), SMALLEST_CELL_INCHES * layers + 1.6)
    figure, panels = plt.subplots(1, len(PANELS), figsize=size, sharey=True)
    for axes, grid, (protocol, column, title) in zip(panels, grids, PANELS):
        in_nats = column == "entropy"
        draw(axes, grid, limit_of[protocol] if in_nats else 1.0)
        axes.set_title(title + (f"; largest possible: {limit_of[protocol]:.2f}" if in_nats else ""), fontsize=9)
    panels[0].set_ylabel("layer")
    figure.suptitle(
        f"{model_name(model)}: attention entropy of each head, mean over {of_model['sentences']:.0f} sentences of"
        f" {of_model['tokens_mean']:.1f} tokens\n(light: 0, dark: the largest that any head could have)",
        fontsize=10,
    )
    plotting.save(figure, args.out_svg, args.out_png)


def draw(axes: Axes, grid: pd.DataFrame, largest: float) -> None:
    axes.imshow(grid, vmin=0, vmax=largest, cmap="Blues", aspect="auto", interpolation="nearest")
    for (layer, head), value in np.ndenumerate(grid.to_numpy()):
        colour = palette.WHITE if value > 0.6 * largest else palette.BLACK
        axes.text(head, layer, f"{value:.2f}", ha="center", va="center", fontsize=6.5, color=colour)
    axes.grid(False)
    axes.set_xticks(range(grid.shape[1]), grid.columns, fontsize=8)
    axes.set_yticks(range(grid.shape[0]), grid.index, fontsize=8)
    axes.set_xlabel("head")


def check(heads: pd.DataFrame, limit_of: pd.Series, path: Path) -> None:
    """Raises ArtefactError unless every head stands once per protocol, and none exceeds what is possible."""
    identities = {}
    for protocol in dict.fromkeys(protocol for protocol, _, _ in PANELS):
        rows = heads[heads["protocol"] == protocol]
        cells = len(rows.drop_duplicates(["layer", "head"]))
        largest = limit_of.get(protocol, 0) * (1 + 1e-6)
        whole = 0 < cells == len(rows) and cells == rows["layer"].nunique() * rows["head"].nunique()
        identities[f"{protocol}: every layer and head stands once"] = whole
        identities[f"{protocol}: entropy is at most the largest possible"] = (rows["entropy"] <= largest).all()
    tables.must_hold(path, identities)
