"""How many times fewer bytes a whole decode step reads with an eighth of the KV heads, over context and batch: the
cache is an eighth, the weights are read as before. Thin: as if multi-head attention had no larger weights.
Cross: by how much the post has a step shrink.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import palette, plotting, posted_marks
from postproof.core import tables
from postproof.llama2.figures.axes import label_tokens
from postproof.llama2.looks import ATTENTIONS, LOOKS, MODELS

TABLES = ("llama2/decode_bytes", "llama2/serving_loads", "llama2/posted_decode_bytes")
SHOWN_BATCHES = 3  # lines of one colour that can still be told apart
LINES = [":", "--", "-"]
MOST_MODELS = 2  # panels


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(args.tables[0])
    loads, posted = tables.read_all(args.tables[1:], TABLES[1:])
    models = list(dict.fromkeys(table["model"]))[:MOST_MODELS]
    batches = sorted(set(table["batch"]))[:SHOWN_BATCHES]
    plotting.style()
    figure, panels = plt.subplots(1, len(models), figsize=(plotting.COLUMN, 5.0), sharey=True, squeeze=False)
    drawn = []
    for axes, model in zip(panels[0], models):
        gqa = table[(table["model"] == model) & (table["attention"] == "gqa")]
        drawn.append((axes, draw_ratio(axes, gqa, batches)))
        draw_loads(axes, at_loads(gqa[gqa["batch"].isin(batches)], loads))
        draw_posted(axes, posted[posted["model"] == model])
        axes.set_title(named(gqa, loads), fontsize=10, loc="left")
        axes.set_xlabel("context (tokens, log)")
    panels[0][0].set_ylabel("times fewer bytes than with MHA")
    plotting.headed(
        figure,
        says(table, loads, posted, models[0]),
        "Bytes that one decode step reads with MHA over those with GQA: every weight once, every sequence's cache "
        "once, at 16 bits. At the ends: sequences in a batch. Thin grey: as if MHA had the weights of GQA. Stars: at "
        "the post's loads; cross: the post.",
        plotting.source(TABLES, "Public configurations, counted; no seeds. Cross: the post's text."),
    )
    for axes, ends in drawn:
        plotting.name_ends(axes, ends)
    plotting.save(figure, args.out_svg, args.out_png)


def named(gqa: pd.DataFrame, loads: pd.DataFrame) -> str:
    """The model with an eighth of its heads, and whether it was ever built so: loads are of models as released."""
    model, heads = gqa["model"].iloc[0], gqa["kv_heads"].iloc[0]
    released = set(loads.loc[loads["model"] == model, "attention"])
    name = f"Llama 2 {MODELS[model].short}"
    if released and "gqa" not in released:
        return f"{name} if it had {heads} KV heads\n(never built)"
    return f"{name} with its {heads} KV heads\n(as released)"


def says(table: pd.DataFrame, loads: pd.DataFrame, posted: pd.DataFrame, model: str) -> str:
    """What GQA makes of the cache and of the step, at the smallest load that the model has, or else at the last row;
    what the post has for the step there.
    """
    gqa = table[(table["model"] == model) & (table["attention"] == "gqa")].sort_values(["batch", "context"])
    at = at_loads(gqa, loads)
    row = at.iloc[0] if len(at) else gqa.iloc[-1]
    cache, step = row["mha_cache_ratio"], row["mha_step_ratio"]
    joined = "but" if step < 0.9 * cache else "and"
    theirs = posted[(posted["model"] == model) & (posted["batch"] == row["batch"])
                    & (posted["context"] == row["context"])]["mha_step_ratio"]  # fmt: skip
    as_posted = ""
    if len(theirs):
        as_posted = f", {'as' if abs(step / theirs.iloc[0] - 1) < 0.1 else 'not'} the post's {theirs.iloc[0]:g}"
    return (
        f"GQA makes Llama 2 {MODELS[model].short}'s cache {cache:.3g} times smaller, {joined} a decode step of "
        f"{row['batch']:,.0f} sequences of {row['context']:,.0f} tokens reads {step:.3g} times fewer bytes{as_posted}"
    )


def at_loads(gqa: pd.DataFrame, loads: pd.DataFrame) -> pd.DataFrame:
    """The rows of a load, the smallest first."""
    wanted = loads[loads["model"].isin(gqa["model"])].rename(columns={"users": "batch"})[["model", "batch", "context"]]
    return gqa.merge(wanted.drop_duplicates(), on=["model", "batch", "context"]).sort_values(["batch", "context"])


def read(path: Path) -> pd.DataFrame:
    """The table of llama2.decode_bytes.

    Raises ArtefactError when it is not of its schema, a kind of attention is missing, or an identity does not hold.
    """
    table = tables.read(path, TABLES[0])
    step, own, same = (table[name] for name in ("step_bytes", "mha_step_ratio", "mha_step_ratio_same_weights"))
    key = ["model", "attention", "batch", "context"]
    mha = table[table["attention"] == "mha"].set_index(["model", "batch", "context"])["step_bytes"]
    of_mha = mha.reindex(pd.MultiIndex.from_frame(table[["model", "batch", "context"]])).to_numpy()
    identities = {
        "models are known": set(table["model"]) <= MODELS.keys(),
        "mha, gqa and mqa are there": (table.groupby("model")["attention"].nunique() == len(ATTENTIONS)).all()
        and set(table["attention"]) == ATTENTIONS.keys(),
        "each stands once": not table.duplicated(key).any(),
        "a step reads weights and cache": (table["weight_bytes"] + table["cache_bytes"] == step).all(),
        "share is cache over step": np.allclose(table["cache_share"], table["cache_bytes"] / step),
        "ratio is that of the steps": np.allclose(own, of_mha / step),
        "no step shrinks by more than its cache": (same <= table["mha_cache_ratio"] * (1 + 1e-6)).all(),
    }
    tables.must_hold(path, identities)
    return table


def draw_ratio(axes: Axes, gqa: pd.DataFrame, batches: list[int]) -> list[tuple[float, float, str, str]]:
    """At each batch with each model's own weights, and thin with the same weights for both. Returns ends and names."""
    look, ends = ATTENTIONS["gqa"], []
    for batch, line in zip(batches, LINES):
        rows = gqa[gqa["batch"] == batch].sort_values("context")
        axes.plot(rows["context"], rows["mha_step_ratio"], color=look.colour, marker=look.marker, markersize=4.5,
                  linestyle=line, linewidth=1.6)  # fmt: skip
        axes.plot(rows["context"], rows["mha_step_ratio_same_weights"], color=LOOKS["same_weights"].colour,
                  linestyle=line, linewidth=0.9)  # fmt: skip
        last = rows.iloc[-1]
        ends.append((last["context"], last["mha_step_ratio"], f"{batch:,}", look.colour))
    cache = gqa["mha_cache_ratio"].iloc[0]
    axes.axhline(cache, color=palette.DARK_GREY, linewidth=1)
    axes.annotate(f"the cache alone: {cache:g}", (gqa["context"].min(), cache), (0, 4),
                  textcoords="offset points", size=plotting.SMALL_POINTS)  # fmt: skip
    label_tokens(axes, gqa["context"])
    axes.set_ylim(0.8, cache * 1.1)
    return ends


def draw_loads(axes: Axes, rows: pd.DataFrame) -> None:
    look = LOOKS["load"]
    for row in rows.itertuples():
        axes.plot(row.context, row.mha_step_ratio, marker=look.marker, color=look.colour, markersize=13, zorder=5,
                  markeredgecolor=palette.WHITE)  # fmt: skip
        axes.annotate(f"{row.mha_step_ratio:.3g}", (row.context, row.mha_step_ratio), (-5, 8), ha="right",
                      textcoords="offset points", size=plotting.SMALL_POINTS, weight="bold")  # fmt: skip


def draw_posted(axes: Axes, posted: pd.DataFrame) -> None:
    for row in posted.itertuples():
        posted_marks.mark(axes, [row.context], [row.mha_step_ratio])
        posted_marks.beside(axes, f"the post: {row.mha_step_ratio:g}", row.context, row.mha_step_ratio, (0, -11),
                            ha="center")  # fmt: skip
