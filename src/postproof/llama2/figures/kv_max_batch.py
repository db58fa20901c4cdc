"""Whole sequences whose keys and values fit into the post's budget, read as GB and as GiB, at the length of the post's
numbers, with these below.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import plotting, posted_marks
from postproof.core import tables
from postproof.llama2.figures.axes import of_reading, plain_log
from postproof.llama2.looks import MODELS, READINGS

TABLES = ("llama2/kv_max_batch", "llama2/kv_posted_batch", "llama2/posted_kv_max_batch")
READING_COLUMNS = ["max_batch_gb", "max_batch_gib"]
BELOW = 0.33  # of a row: the post's batch under ours
NONE = 0.5  # where a logarithmic axis shows that not even one fits


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    _, ours = read(*args.tables[:2])
    posted = tables.read(args.tables[2], TABLES[2])
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 5.0))
    draw(axes, ours, posted)
    budget = f"{ours['budget'].iloc[0]:g}"
    plotting.headed(
        figure,
        says(ours, posted),
        f"Whole sequences of {ours['sequence'].iloc[0]:,} tokens whose KV caches fit into {budget} GB (hollow, a GB "
        f"being a billion bytes) and into {budget} GiB (filled), in float16; no weights counted.",
        plotting.source(TABLES, "Public configurations, counted; no seeds. Crosses: the post's text."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(ours: pd.DataFrame, posted: pd.DataFrame) -> str:
    """What the two readings of the budget make of the 70B, and which of them gives the post's batches."""
    return f"{of_70b(ours)}; {of_which_reading(ours, posted)}"


def of_which_reading(ours: pd.DataFrame, posted: pd.DataFrame) -> str:
    """In which reading the post's batches fit; a batch that is only said to be exceeded is none."""
    both = posted[posted["relation"] == "is"].merge(ours, on=["model", "sequence"])
    same = {name: (both["max_batch"] == both[column]).sum() for name, column in zip(READINGS, READING_COLUMNS)}
    best = max(same, key=same.get)
    if same[best] == len(both):
        return f"all {len(both)} of the post's batches are those in {best}"
    return f"of the post's {len(both)} batches {same[best] or 'none'} {'is' if same[best] <= 1 else 'are'} as in {best}"


def of_70b(ours: pd.DataFrame) -> str:
    """With its own KV heads and with as many as heads."""
    of, budget = ours.set_index("model")[READING_COLUMNS], f"{ours['budget'].iloc[0]:g}"
    if not {"llama2_70b", "llama2_70b_mha"} <= set(of.index):
        apart = (of["max_batch_gib"] - of["max_batch_gb"]).idxmax()
        (gb, gib), name = of.loc[apart], MODELS[apart].short
        return f"{budget} GiB hold {gib:,} sequences with {name}, {budget} GB {gb if gb != gib else 'as many'}"
    (gqa_gb, gqa_gib), (mha_gb, mha_gib) = (of.loc[model] for model in ("llama2_70b", "llama2_70b_mha"))
    if (gqa_gb, mha_gb) == (gqa_gib, mha_gib):
        return f"Llama 2 70B serves {gqa_gib:,} sequences in {budget} GB or GiB, as MHA {mha_gib:,}"
    return (
        f"Llama 2 70B serves {gqa_gib:,} sequences in {budget} GiB and {gqa_gb:,} in {budget} GB; as MHA it would be "
        f"{mha_gib:,} and {mha_gb:,}"
    )


def read(path: Path, ours_path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of llama2.kv_max_batch.

    Raises ArtefactError when one is not of its schema, a reading is missing, or an identity does not hold.
    """
    table, ours = tables.read_all([path, ours_path], TABLES[:2])
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
    wide = table.pivot(index=keys, columns="reading", values="max_batch").reindex(ours.set_index(keys).index)
    our_identities = {
        "each model stands once, at one length": ours["model"].is_unique and ours["sequence"].nunique() == 1,
        "batches are those over the length": np.array_equal(wide[["GB", "GiB"]], ours[READING_COLUMNS]),
    }
    tables.must_hold(ours_path, our_identities)
    return table, ours


def draw(axes: Axes, ours: pd.DataFrame, posted: pd.DataFrame) -> None:
    """The readings side by side, with the numbers; what the post has a little below."""
    models = [model for model in MODELS if model in set(ours["model"])]
    for y, model in enumerate(models):
        (low, high), variant = ours.set_index("model").loc[model, READING_COLUMNS], MODELS[model]
        axes.hlines(y, max(low, NONE), max(high, NONE), color=variant.colour, linewidth=2)
        for reading, value, side, place in (("GB", low, -9, "right"), ("GiB", high, 9, "left")):
            look = of_reading(reading) | {"linestyle": "none"}
            axes.plot(max(value, NONE), y, color=variant.colour, marker=variant.marker, markersize=8, **look)
            axes.annotate(f"{value:,} ({reading})", (max(value, NONE), y), (side, 0), textcoords="offset points",
                          ha=place, va="center", size=9)  # fmt: skip
        for row in posted[posted["model"] == model].itertuples():
            more = {"is": "", "more_than": "more than "}[row.relation]
            posted_marks.mark(axes, [row.max_batch], [y + BELOW])
            posted_marks.beside(axes, f"the post: {more}{row.max_batch:,}", row.max_batch, y + BELOW, (9, 0))
    axes.set_yticks(range(len(models)), [MODELS[model].short for model in models])
    axes.set_xscale("log")
    plain_log(axes.xaxis)
    axes.set(xlabel="sequences at once (log)", xlim=(0.35, 8 * max(ours[READING_COLUMNS].max(axis=None), 1)))
    axes.set_ylim(len(models) - 0.4, -0.5)
    axes.grid(axis="y", visible=False)
