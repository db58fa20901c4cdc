"""Attention of one head with untrained weights over the post's sentence, with the causal mask and without."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import palette, plotting
from postproof.core import tables

TABLES = ("attention/attention_weights",)
TITLES = {
    "causal": "causal mask: a word sees itself and the words before it",
    "none": "no mask: every word sees every word",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    (table,) = tables.read_all(args.tables, TABLES)
    check(table, args.tables[0])
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(13.5, 6.1))
    for axes, mask in zip(panels, TITLES):
        # One scale each: without a mask every weight is near 1 / words, with it the first rows have few words to share.
        image = draw(axes, table[table["mask"] == mask])
        figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02, label="weight (each row sums to 1)")
        axes.set_title(TITLES[mask], fontsize=10)
    head = table["head"].iloc[0]
    figure.suptitle(
        f"Attention of head {head} with untrained weights: what each word (row) takes from each word (column)"
    )
    plotting.save(figure, args.out_svg, args.out_png)


def draw(axes: Axes, rows: pd.DataFrame):
    weights_TT = rows.pivot(index="query", columns="key", values="weight").to_numpy()
    words = rows.drop_duplicates("key").sort_values("key")["key_word"].tolist()
    hidden = np.triu(np.ones_like(weights_TT, dtype=bool), k=1) & (rows["mask"].iloc[0] == "causal")
    image = axes.imshow(np.ma.array(weights_TT, mask=hidden), cmap="Blues", vmin=0, interpolation="nearest")
    for (query, key), weight in np.ndenumerate(weights_TT):
        colour = palette.WHITE if weight > 0.6 * weights_TT.max() else palette.BLACK
        text = "·" if hidden[query, key] else f"{weight:.2f}"
        axes.text(key, query, text, ha="center", va="center", fontsize=8, color=colour)
    ticks = range(len(words))
    axes.set_xticks(ticks, words, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, words)
    axes.grid(visible=False)
    axes.set(xlabel="key: word that is looked at", ylabel="query: word that looks")
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
