"""Whole sequences whose keys and values fit into the post's budget, read as GB and as GiB: over their length, and at
the length of the post's numbers.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from postproof.charts import plotting
from postproof.core import tables
from postproof.llama2.figures.axes import count_axis, label_tokens, of_reading, plain_log
from postproof.llama2.looks import MODELS, READINGS

TABLES = ("llama2/kv_max_batch", "llama2/kv_posted_batch")
POSTED = ["max_batch_gb", "max_batch_gib"]


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, posted = read(*args.tables)
    budget = table["budget"].iloc[0]
    plotting.style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5.2))
    draw_lengths(left, table)
    draw_posted(right, posted)
    figure.suptitle(
        f"Whole sequences whose KV cache fits into a budget of {budget:g} GB or {budget:g} GiB "
        "(float16, no weights counted)",
        fontsize=12,
    )
    handles, labels = left.get_legend_handles_labels()
    handles += [Line2D([], [], color=look.colour, marker=look.marker, **of_reading(name))
                for name, look in READINGS.items()]  # fmt: skip
    figure.legend(handles=handles, labels=[*labels, *(f"{budget:g} {reading}" for reading in READINGS)],
                  loc="outside lower center", ncols=4, fontsize=9)  # fmt: skip
    plotting.save(figure, args.out_svg, args.out_png)


def read(path: Path, posted_path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of llama2.kv_max_batch.

    Raises ArtefactError when one is not of its schema, a reading is missing, or an identity does not hold.
    """
    table, posted = tables.read_all([path, posted_path], TABLES)
    batch, each, budget = table["max_batch"], table["sequence_bytes"], table["budget_bytes"]
    identities = {
        "models are known": set(table["model"]) <= MODELS.keys(),
        "both readings are there": set(table["reading"]) == set(READINGS),
        "one budget": table["budget"].nunique() == 1,
        "the batch fits and one more does not": ((batch * each <= budget) & ((batch + 1) * each > budget)).all(),
        "what is reserved holds no more": (table["max_batch_reserved"] <= batch).all(),
        "the outcome says whether one fits": (table["outcome"] == batch.gt(0).map({True: "fits", False: "none_fits"}))
        .all(),
        "each model, reading and sequence stands once": not table.duplicated(["model", "reading", "sequence"]).any(),
    }  # fmt: skip
    tables.must_hold(path, identities)
    keys = ["model", "sequence", "budget"]
    wide = table.pivot(index=keys, columns="reading", values="max_batch").reindex(posted.set_index(keys).index)
    posted_identities = {
        "each model stands once, at one length": posted["model"].is_unique and posted["sequence"].nunique() == 1,
        "batches are those over the length": (wide[["GB", "GiB"]].to_numpy() == posted[POSTED].to_numpy()).all(),
    }
    tables.must_hold(posted_path, posted_identities)
    return table, posted


def draw_lengths(axes: Axes, table: pd.DataFrame) -> None:
    for model, variant in MODELS.items():
        for reading in READINGS:
            rows = table[(table["model"] == model) & (table["reading"] == reading)].sort_values("sequence")
            if not rows.empty:
                axes.plot(rows["sequence"], rows["max_batch"], color=variant.colour, marker=variant.marker,
                          markersize=5, linewidth=1, label=variant.long if reading == "GiB" else None,
                          **of_reading(reading))  # fmt: skip
    label_tokens(axes, table["sequence"])
    count_axis(axes, table["max_batch"].max())
    axes.set(xlabel="sequence (tokens)", ylabel="sequences at once (logarithmic; 0: not even one)")
    axes.set_title("Over the length of the sequences", fontsize=10)


def draw_posted(axes: Axes, posted: pd.DataFrame) -> None:
    """At the posted length, the readings side by side, with the numbers."""
    models = [model for model in MODELS if model in set(posted["model"])]
    for y, model in enumerate(models):
        (low, high), variant = posted.set_index("model").loc[model, POSTED], MODELS[model]
        axes.hlines(y, max(low, 0.5), max(high, 0.5), color=variant.colour, linewidth=2)
        for reading, value, side, place in (("GB", low, -9, "right"), ("GiB", high, 9, "left")):
            look = of_reading(reading) | {"linestyle": "none"}
            axes.plot(max(value, 0.5), y, color=variant.colour, marker=variant.marker, markersize=8, **look)
            axes.annotate(f"{value:g} ({reading})", (max(value, 0.5), y), (side, 0), textcoords="offset points",
                          ha=place, va="center", fontsize=9)  # fmt: skip
    axes.set_yticks(range(len(models)), [MODELS[model].short for model in models])
    axes.invert_yaxis()
    axes.set_xscale("log")
    plain_log(axes.xaxis)
    axes.set(xlabel="sequences at once (logarithmic)", xlim=(0.3, 5 * posted[POSTED].max(axis=None)))
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    sequence, budget = posted["sequence"].iloc[0], posted["budget"].iloc[0]
    axes.set_title(f'At {sequence:,} tokens: what the reading of "{budget:g} GB" decides', fontsize=10)
