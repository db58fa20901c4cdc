"""Attention of one head with untrained weights over the post's sentence, with the causal mask and without. One scale,
whose colour grows with the root of a weight, as without a mask all weights are small.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm

from postproof.charts import plotting
from postproof.charts.plotting import percent
from postproof.core import tables

TABLES = ("attention/attention_weights",)
TITLES = {
    "causal": "causal mask: a word sees itself\nand the words before it",
    "none": "no mask: every word\nsees every word",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    (table,) = tables.read_all(args.tables, TABLES)
    check(table, args.tables[0])
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(plotting.COLUMN, 5.4), sharey=True)
    for axes, mask in zip(panels, TITLES):
        image = draw(axes, table[table["mask"] == mask])
        axes.set_title(TITLES[mask], fontsize=10)
    panels[0].set_ylabel("query: word that looks")
    bar = figure.colorbar(image, ax=panels, shrink=0.6, pad=0.02, label="weight (root scale)")
    bar.set_ticks(shown := [0, 0.05, 0.1, 0.2, 0.5, 1], labels=[f"{weight:g}" for weight in shown])
    words = table["query"].max() + 1
    plotting.headed(
        figure,
        says(table),
        f"Weights of head {table['head'].iloc[0]}: what each word (row) takes from each word (column); rows sum to 1,"
        f" {words} words. White: hidden by the mask.",
        plotting.source(TABLES, "The post's sentence, untrained weights, one seed."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(table: pd.DataFrame) -> str:
    """How far untrained weights are from an even share."""
    free = table.loc[table["mask"] == "none", "weight"]
    even = 1 / (table["query"].max() + 1)
    near = f"{percent(free.min())} to {percent(free.max())} of its attention, around an even {percent(even)}"
    seen = (
        "The pattern is noise of untrained weights" if free.max() < 0.5 else "Untrained weights may single out a word"
    )
    return f"{seen}: without a mask a word gives each word {near}; the mask only hides what comes later"


def draw(axes: Axes, rows: pd.DataFrame):
    weights_TT = rows.pivot(index="query", columns="key", values="weight").to_numpy()
    words = rows.drop_duplicates("key").sort_values("key")["key_word"].tolist()
    hidden = np.triu(np.ones_like(weights_TT, dtype=bool), k=1) & (rows["mask"].iloc[0] == "causal")
    image = axes.imshow(np.ma.array(weights_TT, mask=hidden), cmap="Blues", norm=PowerNorm(0.5, 0, 1),
                        interpolation="nearest")  # fmt: skip
    ticks = range(len(words))
    axes.set_xticks(ticks, words, rotation=90, fontsize=plotting.SMALL_POINTS, **plotting.AS_TYPED)
    axes.set_yticks(ticks, words, fontsize=plotting.SMALL_POINTS, **plotting.AS_TYPED)
    axes.grid(visible=False)
    axes.set_xlabel("key: word that is looked at")
    return image


def check(table: pd.DataFrame, path: Path) -> None:
    """Raises ArtefactError when a cell is missing or stands twice, a row does not sum to 1 or the mask fails."""
    length = table["query"].max() + 1
    cells = length**2 * len(TITLES)
    later = table[(table["mask"] == "causal") & (table["key"] > table["query"])]
    identities = {
        "one head, with and without a mask": table["head"].nunique() == 1 and set(table["mask"]) == TITLES.keys(),
        "each query and key once per mask": len(table)
        == len(table[["mask", "query", "key"]].drop_duplicates())
        == cells
        and set(table["query"]) == set(table["key"]) == set(range(length)),
        "one word per position": table.groupby("key")["key_word"].nunique().max() == 1,
        "rows sum to 1": np.allclose(table.groupby(["mask", "query"])["weight"].sum(), 1, atol=1e-6),
        "no word sees a later one under a causal mask": (later["weight"] == 0).all(),
    }
    tables.must_hold(path, identities)
