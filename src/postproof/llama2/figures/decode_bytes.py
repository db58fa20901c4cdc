"""Bytes that one decode step reads, weights and cache, over context and batch, with as many KV heads as heads, an
eighth and one; and how many times fewer bytes the smaller cache makes of the whole step.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.llama2.figures.axes import label_tokens, plain_log
from postproof.llama2.looks import ATTENTIONS, LOOKS, MODELS
from postproof.published.kv_cache import GB

TABLES = ("llama2/decode_bytes",)
SHOWN_BATCHES = 3  # lines of one colour that can still be told apart
LINES = ["-", "--", ":"]


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(*args.tables)
    models = list(dict.fromkeys(table["model"]))
    batches = sorted(set(table["batch"]))[:SHOWN_BATCHES]
    table = table[table["batch"].isin(batches)]
    plotting.style()
    figure, panels = plt.subplots(2, len(models), figsize=(6 * len(models), 8.6), sharex=True, sharey="row",
                                  squeeze=False)  # fmt: skip
    for (top, bottom), model in zip(panels.T, models):
        rows = table[table["model"] == model]
        draw_bytes(top, rows, batches)
        draw_ratio(bottom, rows, batches)
        heads = "/".join(f"{rows.loc[rows['attention'] == kind, 'kv_heads'].iloc[0]}" for kind in ATTENTIONS)
        top.set_title(f"Llama 2 {MODELS[model].short} with {heads} KV heads", fontsize=10)
        bottom.set_title("What GQA buys: its cache is an eighth, its step is not", fontsize=10)
        bottom.set_xlabel("context (tokens in each sequence's cache)")
    panels[0][0].set_ylabel("GB read by one step (logarithmic)")
    panels[1][0].set_ylabel("times fewer bytes with GQA than with MHA")
    figure.suptitle("Bytes that one decode step reads: every weight once, every sequence's cache once (16 bits)",
                    fontsize=12)  # fmt: skip
    handles = [Line2D([], [], color=kind.colour, marker=kind.marker, label=f"{kind.short}, {kind.long}")
               for kind in ATTENTIONS.values()]  # fmt: skip
    thin = LOOKS["same_weights"]
    handles.append(Line2D([], [], color=thin.colour, linewidth=0.9, label=thin.long))
    handles += [
        Line2D([], [], color=palette.DARK_GREY, linestyle=line, label=f"batch {batch}")
        for batch, line in zip(batches, LINES)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9)
    plotting.save(figure, args.out_svg, args.out_png)


def read(path: Path) -> pd.DataFrame:
    """The table of llama2.decode_bytes.

    Raises ArtefactError when it is not of its schema, a kind of attention is missing, or an identity does not hold.
    """
    table = tables.read(path, *TABLES)
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


def draw_bytes(axes: Axes, table: pd.DataFrame, batches: list[int]) -> None:
    """The least and the largest batch shown: ten times the batch is a cache ten times as large."""
    for kind, look in ATTENTIONS.items():
        for batch, line in list(zip(batches, LINES))[:: len(batches) - 1 or 1]:
            rows = table[(table["attention"] == kind) & (table["batch"] == batch)].sort_values("context")
            axes.plot(rows["context"], rows["step_bytes"] / GB, color=look.colour, marker=look.marker, markersize=5,
                      linestyle=line, linewidth=1.3)  # fmt: skip
    axes.set_yscale("log")
    plain_log(axes.yaxis)
    label_tokens(axes, table["context"], room=1.9)


def draw_ratio(axes: Axes, table: pd.DataFrame, batches: list[int]) -> None:
    """GQA: at each batch with each model's own weights, and thin with the same weights for both."""
    look = ATTENTIONS["gqa"]
    gqa = table[table["attention"] == "gqa"]
    for batch, line in zip(batches, LINES):
        rows = gqa[gqa["batch"] == batch].sort_values("context")
        axes.plot(rows["context"], rows["mha_step_ratio"], color=look.colour, marker=look.marker, markersize=5,
                  linestyle=line, linewidth=1.3)  # fmt: skip
        axes.plot(rows["context"], rows["mha_step_ratio_same_weights"], color=LOOKS["same_weights"].colour,
                  linestyle=line, linewidth=0.9)  # fmt: skip
        last = rows.iloc[-1]
        axes.annotate(f"batch {batch}", (last["context"], last["mha_step_ratio"]), (8, 0),
                      textcoords="offset points", va="center", fontsize=9)  # fmt: skip
    cache = gqa["mha_cache_ratio"].iloc[0]
    axes.axhline(cache, color=palette.DARK_GREY, linewidth=1)
    axes.annotate(f"the cache alone: {cache:g} times", (table["context"].min(), cache), (0, 4),
                  textcoords="offset points", fontsize=9)  # fmt: skip
    axes.set_ylim(0.8, cache * 1.12)
