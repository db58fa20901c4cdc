"""Chart: how many sequences' KV caches fit into a budget, over their length, with the budget read as GB and as GiB."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from postproof import files, plotting
from postproof.errors import ArtefactError
from postproof.llama2.figures.architectures import MODELS, count_axis, label_tokens, plain_log
from postproof.llama2.kv_cache import READINGS

NUMBERS = ["sequence", "budget", "budget_bytes", "sequence_bytes", "max_batch", "max_batch_reserved"]
POSTED_SEQUENCE = 4096
LOOKS = {"GB": {"linestyle": "--", "markerfacecolor": "white"}, "GiB": {"linestyle": "-"}}


def add_arguments(parser) -> None:
    plotting.add_figure_arguments(parser, "kv_max_batch")


def main(args) -> None:
    table = read(*args.tables)
    budget = table["budget"].iloc[0]
    plotting.style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5.2))
    draw_lengths(left, table)
    draw_posted(right, table[table["sequence"] == POSTED_SEQUENCE], budget)
    figure.suptitle(
        f"Whole sequences whose KV cache fits into a budget of {budget:g} GB or {budget:g} GiB "
        "(float16, no weights counted)",
        fontsize=12,
    )
    handles, labels = left.get_legend_handles_labels()
    handles += [Line2D([], [], color="0.3", marker="o", label=reading, **look) for reading, look in LOOKS.items()]
    figure.legend(handles=handles, labels=[*labels, *(f"{budget:g} {reading}" for reading in LOOKS)],
                  loc="outside lower center", ncols=4, fontsize=9)  # fmt: skip
    plotting.save(figure, args.out_svg, args.out_png)


def read(path: Path) -> pd.DataFrame:
    """The table of llama2.kv_max_batch.

    Raises ArtefactError when a column, a reading, the posted length or a number is missing, or an identity does not
    hold.
    """
    table = files.read_csv(path, ["model", "attention", "reading", "outcome"], NUMBERS)
    batch, each, budget = table["max_batch"], table["sequence_bytes"], table["budget_bytes"]
    identities = {
        "models are known": set(table["model"]) <= MODELS.keys(),
        "both readings are there": set(table["reading"]) == set(READINGS),
        "one budget": table["budget"].nunique() == 1,
        f"{POSTED_SEQUENCE} tokens are there": (table["sequence"] == POSTED_SEQUENCE).any(),
        "the batch fits and one more does not": ((batch * each <= budget) & ((batch + 1) * each > budget)).all(),
        "what is reserved holds no more": (table["max_batch_reserved"] <= batch).all(),
        "the outcome says whether one fits": (table["outcome"] == batch.gt(0).map({True: "fits", False: "none_fits"}))
        .all(),
        "each model, reading and sequence stands once": not table.duplicated(["model", "reading", "sequence"]).any(),
    }  # fmt: skip
    for identity, holds in identities.items():
        if not holds:
            raise ArtefactError("table breaks an identity", file=path, identity=identity)
    return table


def draw_lengths(axes: Axes, table: pd.DataFrame) -> None:
    for model, variant in MODELS.items():
        for reading, look in LOOKS.items():
            rows = table[(table["model"] == model) & (table["reading"] == reading)].sort_values("sequence")
            if not rows.empty:
                axes.plot(rows["sequence"], rows["max_batch"], color=variant.colour, marker=variant.marker,
                          markersize=5, linewidth=1, label=variant.long if reading == "GiB" else None,
                          **look)  # fmt: skip
    label_tokens(axes, table["sequence"])
    count_axis(axes, table["max_batch"].max())
    axes.set(xlabel="sequence (tokens)", ylabel="sequences at once (logarithmic; 0: not even one)")
    axes.set_title("Over the length of the sequences", fontsize=10)


def draw_posted(axes: Axes, rows: pd.DataFrame, budget: float) -> None:
    """At the posted length, the readings side by side, with the numbers."""
    models = [model for model in MODELS if model in set(rows["model"])]
    for y, model in enumerate(models):
        of_model = rows[rows["model"] == model].set_index("reading")["max_batch"]
        low, high, variant = of_model["GB"], of_model["GiB"], MODELS[model]
        axes.hlines(y, max(low, 0.5), max(high, 0.5), color=variant.colour, linewidth=2)
        for reading, value, side, place in (("GB", low, -9, "right"), ("GiB", high, 9, "left")):
            look = LOOKS[reading] | {"linestyle": "none"}
            axes.plot(max(value, 0.5), y, color=variant.colour, marker=variant.marker, markersize=8, **look)
            axes.annotate(f"{value:g} ({reading})", (max(value, 0.5), y), (side, 0), textcoords="offset points",
                          ha=place, va="center", fontsize=9)  # fmt: skip
    axes.set_yticks(range(len(models)), [MODELS[model].short for model in models])
    axes.invert_yaxis()
    axes.set_xscale("log")
    plain_log(axes.xaxis)
    axes.set(xlabel="sequences at once (logarithmic)", xlim=(0.3, 5 * rows["max_batch"].max()))
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_title(f'At {POSTED_SEQUENCE:,} tokens: what the reading of "{budget:g} GB" decides', fontsize=10)
