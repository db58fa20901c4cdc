"""One head of each class that occurs, on one sentence: what its queries attend to among the real tokens."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.attention.looks import CLASSES, model_name
from postproof.charts import plotting
from postproof.core import tables

TABLES = ("attention/head_examples",)
BASES = {
    "posted": "as posted: padded,\nposted thresholds",
    "reachable": "real tokens only,\nreachable thresholds",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    (table,) = tables.read_all(args.tables, TABLES)
    panels = {panel: rows for panel, rows in table.groupby(["basis", "class"])}
    check(table, panels, args.tables[0])
    tokens = list(table.drop_duplicates("query_position").sort_values("query_position")["query_token"])
    plotting.style()
    figure, grid = plt.subplots(2, len(CLASSES), figsize=(14, 7.6), sharex=True, sharey=True)
    for row, (basis, label) in zip(grid, BASES.items()):
        for axes, kind in zip(row, CLASSES):
            rows = panels.get((basis, kind))
            if rows is None:
                draw(axes, table[:0], len(tokens))
                axes.text(0.5, 0.5, f"no head is {kind}", transform=axes.transAxes, ha="center", fontsize=10)
                axes.set_title(kind, fontsize=10)
            else:
                image = draw(axes, rows, len(tokens))
                axes.set_title(f"{kind}: layer {rows['layer'].iloc[0]}, head {rows['head'].iloc[0]}"
                               f" (of {rows['heads_of_class'].iloc[0]} heads)", fontsize=10)  # fmt: skip
        row[0].set_ylabel(f"{label}\n\nquery", fontsize=10)
        for axes in row:
            axes.tick_params(labelsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("key")
        axes.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=8)
    grid[0, 0].set_yticks(range(len(tokens)), tokens, fontsize=8)
    figure.colorbar(image, ax=grid, shrink=0.6, label="attention weight")
    figure.suptitle(
        f"{model_name(table['model'].iloc[0])}: one head per class, whose entropy is nearest the class's median;"
        " real tokens of one sentence",
        fontsize=11,
    )
    plotting.save(figure, args.out_svg, args.out_png)


def draw(axes: Axes, rows: pd.DataFrame, tokens: int):
    weights = np.full((tokens, tokens), np.nan)  # what is ahead of a query stays white
    weights[rows["query_position"], rows["key_position"]] = rows["weight"]
    axes.grid(False)
    return axes.imshow(weights, vmin=0, vmax=1, cmap="Blues", interpolation="nearest")


def check(table: pd.DataFrame, panels: dict, path: Path) -> None:
    """Raises ArtefactError unless each panel is one head's lower triangle of the same tokens, whose rows sum to 1."""
    tokens = table["query_position"].max() + 1
    triangle = [(query, key) for query in range(tokens) for key in range(query + 1)]
    labels = table[["query_position", "query_token"]].drop_duplicates()
    identities = {"every token has one label": len(labels) == tokens}
    for panel, rows in panels.items():
        name = " ".join(panel)
        cells = rows.sort_values(["query_position", "key_position"])[["query_position", "key_position"]]
        identities[f"{name}: every pair stands once"] = list(cells.itertuples(index=False, name=None)) == triangle
        identities[f"{name}: one head"] = len(rows[["layer", "head"]].drop_duplicates()) == 1
        sums = rows.groupby("query_position")["weight"].sum()
        identities[f"{name}: rows sum to 1"] = np.allclose(sums, 1, atol=1e-4)
    tables.must_hold(path, identities)
