"""Whole sequences whose keys and values fit into the post's budget, read as GB and as GiB, at the length of the post's
numbers.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import plotting
from postproof.core import tables
from postproof.llama2.figures.axes import of_reading, plain_log
from postproof.llama2.looks import MODELS, READINGS

TABLES = ("llama2/kv_max_batch", "llama2/kv_posted_batch")
POSTED = ["max_batch_gb", "max_batch_gib"]
NONE = 0.5  # where a logarithmic axis shows that not even one fits


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    _, posted = read(*args.tables)
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 4.4))
    draw(axes, posted)
    budget = f"{posted['budget'].iloc[0]:g}"
    plotting.headed(
        figure,
        says(posted),
        f"Whole sequences of {posted['sequence'].iloc[0]:,} tokens whose KV caches fit into {budget} GB (hollow, a GB "
        f"being a billion bytes) and into {budget} GiB (filled), in float16; no weights counted.",
        plotting.source(TABLES, "Public configurations, counted; no seeds."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(posted: pd.DataFrame) -> str:
    """What the two readings of the budget make of the 70B, with its own KV heads and with as many as heads."""
    of, budget = posted.set_index("model")[POSTED], f"{posted['budget'].iloc[0]:g}"
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


def draw(axes: Axes, posted: pd.DataFrame) -> None:
    """The readings side by side, with the numbers."""
    models = [model for model in MODELS if model in set(posted["model"])]
    for y, model in enumerate(models):
        (low, high), variant = posted.set_index("model").loc[model, POSTED], MODELS[model]
        axes.hlines(y, max(low, NONE), max(high, NONE), color=variant.colour, linewidth=2)
        for reading, value, side, place in (("GB", low, -9, "right"), ("GiB", high, 9, "left")):
            look = of_reading(reading) | {"linestyle": "none"}
            axes.plot(max(value, NONE), y, color=variant.colour, marker=variant.marker, markersize=8, **look)
            axes.annotate(f"{value:,} ({reading})", (max(value, NONE), y), (side, 0), textcoords="offset points",
                          ha=place, va="center", size=9)  # fmt: skip
    axes.set_yticks(range(len(models)), [MODELS[model].short for model in models])
    axes.set_xscale("log")
    plain_log(axes.xaxis)
    axes.set(xlabel="sequences at once (logarithmic)", xlim=(0.35, 4 * max(posted[POSTED].max(axis=None), 1)))
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
