"""Scores of random queries and keys over the dimension of a head, with and without division by its root: their size,
the largest weight that softmax makes of them and the gradient that it leaves; and the largest weight where one layer is
split into more and narrower heads. Dashed upright line: the post's dimension of a head.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.attention.looks import SCALINGS
from postproof.charts import palette, plotting
from postproof.charts.palette import POSTED
from postproof.core import tables

TABLES = ("attention/softmax_scaling", "attention/softmax_heads")
SPREAD_ERRORS = 6  # standard errors that a root mean square may stray by: one table in millions is refused by chance
POSTED_D_HEAD = 64  # whose row is the post's case


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, heads = tables.read_all(args.tables, TABLES)
    check(table, heads, *args.tables)
    plotting.style()
    figure, panels = plt.subplots(2, 2, figsize=(plotting.COLUMN, 6.6))
    columns = {
        "score_rms": (panels[0, 0], "size of a score (root mean square)"),
        "largest_weight": (panels[0, 1], "largest weight of a query"),
        "gradient_trace": (panels[1, 0], "gradient left: 1 - Σ w²"),
    }
    for column, (axes, title) in columns.items():
        draw(axes, table, column)
        axes.set_title(title, fontsize=10)
    panels[0, 0].set(yscale="log", ylabel="root mean square (log)")
    panels[0, 0].set_yticks(sizes := [2**power for power in range(5)], [f"{size}" for size in sizes])
    panels[0, 0].minorticks_off()
    draw_heads(panels[1, 1], heads)
    keys, rows = table["keys"].iloc[0], table["rows"].iloc[0]
    one = heads.iloc[0]
    plotting.headed(
        figure,
        says(table),
        f"Standard normal q and k, {keys} keys, means over {rows:,} queries per point; d_k: dimension of a head. Lines"
        f" in the first panel: expected, √d_k and 1. Dashed: the post's d_k. Any split of d_model {one['d_model']}"
        f" takes {one['flops_counted'] / 10**6:,.1f} million FLOPs.",
        plotting.source(TABLES, "Random scores, no model and no text."),
    )
    last = table.groupby("scaling").last()
    for column, (axes, _) in columns.items():
        plotting.name_ends(axes, [
            (last.loc[scaling, "d_head"], last.loc[scaling, column], look.short, look.colour)
            for scaling, look in SCALINGS.items()
        ])  # fmt: skip
    plotting.save(figure, args.out_svg, args.out_png)


def says(table: pd.DataFrame) -> str:
    """What the largest weight is at the post's dimension and the widest one, without scaling and with."""
    by = table.pivot(index="d_head", columns="scaling", values="largest_weight")
    here, widest = by.index[by.index.get_indexer([POSTED_D_HEAD], method="nearest")[0]], by.index.max()
    ends = f"{by.loc[here, 'none']:.2f} at d_k {here}" + (
        f" and {by.loc[widest, 'none']:.2f} at {widest}" if widest != here else ""
    )
    divided = by["inverse_root"]
    low, high = f"{divided.min():.2f}", f"{divided.max():.2f}"
    kept = f"it stays at {low}" if low == high else f"it is {low} to {high} at every dimension"
    collapse = "softmax gives most of the weight to one key" if by.loc[widest, "none"] > 0.5 else "softmax spreads out"
    return f"Without scaling {collapse}: the largest weight is on average {ends}; divided by √d_k {kept}"


def draw(axes: Axes, table: pd.DataFrame, column: str) -> None:
    for scaling, look in SCALINGS.items():
        rows = table[table["scaling"] == scaling]
        if column == "score_rms":
            axes.plot(rows["d_head"], rows["expected_rms"], color=look.colour, linewidth=1)
        axes.plot(rows["d_head"], rows[column], color=look.colour, marker=look.marker, markersize=4.5,
                  linestyle="none" if column == "score_rms" else look.line)  # fmt: skip
    if column != "score_rms":
        axes.set_ylim(0, 1)
    axes.axvline(POSTED_D_HEAD, color=POSTED.colour, linestyle="--", linewidth=1.2)
    label_dimensions(axes, table)


def draw_heads(axes: Axes, heads: pd.DataFrame) -> None:
    splits = heads["heads"].drop_duplicates().tolist()
    width = 0.38
    for index, (scaling, look) in enumerate(SCALINGS.items()):
        rows = heads[heads["scaling"] == scaling].set_index("heads").loc[splits]
        places = np.arange(len(splits)) + (index - 0.5) * width
        axes.bar(places, rows["largest_weight"], width, color=look.colour, edgecolor=palette.WHITE,
                 linewidth=0.5, hatch=look.hatch)  # fmt: skip
    label_splits(axes, heads)
    axes.set(ylim=(0, 1))
    axes.set_title("largest weight, by number of heads", fontsize=10)


def label_dimensions(axes: Axes, table: pd.DataFrame) -> None:
    dimensions = table["d_head"].drop_duplicates().tolist()
    axes.set(xscale="log", xlabel="d_k (log)")
    shown = dimensions[:: 1 + (len(dimensions) - 1) // 5]
    axes.set_xticks(shown, map(str, shown), fontsize=plotting.SMALL_POINTS)
    axes.minorticks_off()


def label_splits(axes: Axes, heads: pd.DataFrame) -> None:
    splits = heads.drop_duplicates("heads")
    labels = [f"{row.heads} ×\n{row.d_head}" for row in splits.itertuples()]
    axes.set_xticks(range(len(labels)), labels, fontsize=plotting.SMALL_POINTS)
    axes.set(xlabel="heads × d_k")
    axes.grid(axis="x", visible=False)
    axes.set_axisbelow(True)


def check(table: pd.DataFrame, heads: pd.DataFrame, path: Path, heads_path: Path) -> None:
    """Raises ArtefactError when a scaling is missing, or an expectation, an entropy or a cost breaks its formula."""
    for file, rows, key in ((path, table, "d_head"), (heads_path, heads, "heads")):
        expected = np.where(rows["scaling"] == "none", np.sqrt(rows["d_head"]), 1)
        both = (rows.groupby(key)["scaling"].agg(set) == SCALINGS.keys()).all()
        identities = {
            f"each {key} with and without scaling, once": both and not rows.duplicated([key, "scaling"]).any(),
            "expected spread is sqrt(d_k), or 1 when scaled": np.allclose(rows["expected_rms"], expected),
            "entropy is at most the largest": (rows["entropy_nats"] <= rows["largest_entropy_nats"]).all(),
        }
        tables.must_hold(file, identities)
    # Given q, S scores are normal with variance |q|^2, which is chi-squared of d_k: the variance of their mean square,
    # over d_k^2, is (1 + 2 / d_k)(1 + 2 / S) - 1, and a root strays by half as much as its square.
    variance = ((1 + 2 / table["d_head"]) * (1 + 2 / table["keys"]) - 1) / table["rows"]
    close = np.abs(table["score_rms"] / table["expected_rms"] - 1) <= SPREAD_ERRORS * np.sqrt(variance) / 2
    tables.must_hold(path, {"spread is the expected one": close.all()})
    T, D = heads["keys"], heads["d_model"]
    identities = {
        "heads times d_k is d_model": (heads["heads"] * heads["d_head"] == D).all(),
        "FLOPs are 8 T D^2 + 4 T^2 D": (heads["flops_formula"] == 8 * T * D**2 + 4 * T**2 * D).all(),
        "counted FLOPs are those of the formula": (heads["flops_formula"] == heads["flops_counted"]).all(),
        "scores are H T^2": (heads["scores"] == heads["heads"] * T**2).all(),
    }
    tables.must_hold(heads_path, identities)
