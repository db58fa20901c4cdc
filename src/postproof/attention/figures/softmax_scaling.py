"""Scores of random queries and keys over the dimension of a head, with and without division by its root.
Their spread, what softmax makes of them, one wide head against narrow ones, and what both cost.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.attention.looks import LOOKS, SCALINGS
from postproof.charts import palette, plotting
from postproof.core import tables

TABLES = ("attention/softmax_scaling", "attention/softmax_heads")
SPREAD_ERRORS = 6  # standard errors that a root mean square may stray by: one table in millions is refused by chance


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, heads = tables.read_all(args.tables, TABLES)
    check(table, heads, *args.tables)
    plotting.style()
    figure, panels = plt.subplots(2, 2, figsize=(12.5, 9))
    draw_spread(panels[0, 0], table)
    draw_softmax(panels[0, 1], table)
    draw_heads(panels[1, 0], heads)
    draw_cost(panels[1, 1], heads)
    keys, rows = table["keys"].iloc[0], table["rows"].iloc[0]
    figure.suptitle(f"Why scores are divided by √d_k: standard normal q and k, {keys} keys, {rows:,} queries per point")
    plotting.save(figure, args.out_svg, args.out_png)


def draw_spread(axes: Axes, table: pd.DataFrame) -> None:
    for scaling, look in SCALINGS.items():
        rows = table[table["scaling"] == scaling]
        axes.plot(rows["d_head"], rows["expected_rms"], color=look.colour, linewidth=1)
        axes.plot(rows["d_head"], rows["score_rms"], color=look.colour, marker=look.marker, linestyle="none",
                  label=f"{look.long}: root mean square")  # fmt: skip
        axes.plot(rows["d_head"], rows["score_mean_abs"], color=look.colour, marker=look.marker, linestyle="none",
                  markerfacecolor="none", label=f"{look.long}: mean of |score|")  # fmt: skip
    axes.set(yscale="log", ylabel="size of a score (logarithmic)")
    label_dimensions(axes, table)
    axes.set_yticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    axes.minorticks_off()
    axes.legend(fontsize=9, loc="upper left")
    axes.set_title("spread of scores; lines: expected, √d_k and 1", fontsize=10)


def draw_softmax(axes: Axes, table: pd.DataFrame) -> None:
    for scaling, look in SCALINGS.items():
        rows = table[table["scaling"] == scaling]
        lines = {"-": ("largest weight", rows["largest_weight"]), ":": ("gradient left", rows["gradient_trace"]),
                 "--": ("entropy / ln(keys)", rows["entropy_nats"] / rows["largest_entropy_nats"])}  # fmt: skip
        for style, (name, values) in lines.items():
            axes.plot(rows["d_head"], values, color=look.colour, marker=look.marker, markersize=4, linestyle=style,
                      label=f"{look.long}: {name}")  # fmt: skip
    label_dimensions(axes, table)
    axes.set(ylabel="mean over queries (share)", ylim=(0, 1.62), yticks=np.arange(0, 1.1, 0.2))
    axes.legend(fontsize=8, loc="upper center", ncols=2)
    axes.set_title("what softmax makes of them; gradient left: 1 - Σ w²", fontsize=10)


def draw_heads(axes: Axes, heads: pd.DataFrame) -> None:
    splits = heads["heads"].drop_duplicates().tolist()
    width = 0.38
    for index, (scaling, look) in enumerate(SCALINGS.items()):
        rows = heads[heads["scaling"] == scaling].set_index("heads").loc[splits]
        places = np.arange(len(splits)) + (index - 0.5) * width
        bars = axes.bar(places, rows["largest_weight"], width, color=look.colour, edgecolor=palette.BLACK,
                        linewidth=0.5, hatch=look.hatch, label=look.long)  # fmt: skip
        axes.bar_label(bars, fmt="%.2f", fontsize=9, padding=2)
    label_splits(axes, heads)
    axes.set(ylabel="largest weight of a query (mean)", ylim=(0, 1.25))
    axes.legend(fontsize=9, loc="upper right")
    axes.set_title(f"d_model {heads['d_model'].iloc[0]} split into heads: how far a softmax collapses", fontsize=10)


def draw_cost(axes: Axes, heads: pd.DataFrame) -> None:
    rows = heads[heads["scaling"] == "none"]
    places, width = np.arange(len(rows)), 0.38
    one = rows.iloc[0]
    millions = one["flops_counted"] / 1e6
    labels = {
        "flops_counted": f"FLOPs of products, as torch counts them ({millions:.1f} million)",
        "scores": f"scores in memory and in softmax ({one['scores']:,.0f} numbers with one head)",
    }
    for index, (column, label) in enumerate(labels.items()):
        look = LOOKS[column]
        bars = axes.bar(places + (index - 0.5) * width, rows[column] / one[column], width, color=look.colour,
                        edgecolor=palette.BLACK, linewidth=0.5, hatch=look.hatch, label=label)  # fmt: skip
        axes.bar_label(bars, fmt="%.0f", fontsize=9, padding=2)
    label_splits(axes, heads)
    axes.set(ylabel=f"times that of {one['heads']:.0f} head", ylim=(0, 1.3 * (rows["scores"] / one["scores"]).max()))
    axes.legend(fontsize=9, loc="upper left")
    axes.set_title(f"cost of one forward pass over {rows['keys'].iloc[0]} tokens", fontsize=10)


def label_dimensions(axes: Axes, table: pd.DataFrame) -> None:
    dimensions = table["d_head"].drop_duplicates().tolist()
    axes.set(xscale="log", xlabel="d_k: dimension of a head (logarithmic)")
    axes.set_xticks(dimensions, map(str, dimensions))
    axes.minorticks_off()


def label_splits(axes: Axes, heads: pd.DataFrame) -> None:
    splits = heads.drop_duplicates("heads")
    labels = [f"{row.heads} × {row.d_head}" for row in splits.itertuples()]
    axes.set_xticks(range(len(labels)), labels)
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
