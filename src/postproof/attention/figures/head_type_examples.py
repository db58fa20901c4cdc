"""One head of each class that occurs with thresholds that can be reached over real tokens: the head whose entropy is
nearest the class's median, on one sentence. A row is what a query attends to among the real tokens up to itself.
"""

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
BASES = {"posted": "By the posted thresholds", "reachable": "by thresholds that can be reached"}
DRAWN = "reachable"


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    (table,) = tables.read_all(args.tables, TABLES)
    panels = {panel: rows for panel, rows in table.groupby(["basis", "class"])}
    check(table, panels, args.tables[0])
    tokens = list(table.drop_duplicates("query_position").sort_values("query_position")["query_token"])
    occur = [kind for kind in CLASSES if (DRAWN, kind) in panels]
    plotting.style()
    figure, row = plt.subplots(
        1, len(occur), figsize=(plotting.COLUMN, 4.7), sharex=True, sharey=True, squeeze=False
    )  # fmt: skip
    for axes, kind in zip(row[0], occur):
        rows = panels[DRAWN, kind]
        image = draw(axes, rows, len(tokens))
        first = rows.loc[rows["key_position"] == 0, "weight"].mean()
        axes.set_title(
            f"{kind}: layer {rows['layer'].iloc[0]}, head {rows['head'].iloc[0]}\n"
            f"on the first token {plotting.percent(first)}", fontsize=plotting.SMALL_POINTS,
        )  # fmt: skip
        axes.set_xlabel("key")
        axes.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=plotting.SMALL_POINTS, **plotting.AS_TYPED)
    row[0, 0].set_yticks(range(len(tokens)), tokens, fontsize=plotting.SMALL_POINTS, **plotting.AS_TYPED)
    row[0, 0].set_ylabel("query")
    figure.colorbar(image, ax=row, shrink=0.6, pad=0.02, label="attention weight")
    model = model_name(table["model"].iloc[0])
    plotting.headed(
        figure,
        says(table, model),
        "Attention weights of one head per class (the one whose entropy is nearest the class's median), on the"
        f" {len(tokens)} real tokens of one sentence; each row sums to 1. Titles: mean weight on the first token.",
        plotting.source(TABLES, f"{model}."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(table: pd.DataFrame, model: str) -> str:
    """How many heads each class has, by either thresholds."""
    parts = []
    for basis, words in BASES.items():
        counts = table[table["basis"] == basis].drop_duplicates("class").set_index("class")["heads_of_class"]
        some = [f"{counts[kind]} {kind}" for kind in CLASSES if kind in counts]
        none = [kind for kind in CLASSES if kind not in counts]
        parts.append(f"{words} {', '.join(some)}" + (f" and none {' or '.join(none)}" if none else ""))
    return f"Heads of {model}. {'; '.join(parts)}"


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
