"""Chart: bytes that one decode step reads, over context and batch, and how many times fewer a smaller cache makes."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from postproof import files, plotting
from postproof.errors import ArtefactError
from postproof.llama2.figures.architectures import ATTENTIONS, MODELS, label_tokens, plain_log
from postproof.llama2.kv_cache import GB

NUMBERS = ["kv_heads", "batch", "context", "weight_bytes", "cache_bytes", "step_bytes", "cache_share",
           "mha_cache_ratio", "mha_step_ratio", "mha_step_ratio_same_weights", "step_flops", "memory_seconds",
           "compute_seconds"]  # fmt: skip
SHOWN_BATCHES = 3  # lines of one colour that can still be told apart
LINES = ["-", "--", ":"]


def add_arguments(parser) -> None:
    plotting.add_figure_arguments(parser, "decode_bytes")


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
    handles.append(Line2D([], [], color="0.35", linewidth=0.9, label="below, thin: as if MHA had the same weights"))
    handles += [Line2D([], [], color="0.3", linestyle=line, label=f"batch {batch}")
                for batch, line in zip(batches, LINES)]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9)
    plotting.save(figure, args.out_svg, args.out_png)


def read(path: Path) -> pd.DataFrame:
    """The table of llama2.decode_bytes.

    Raises ArtefactError when a column, a kind of attention or a number is missing, or an identity does not hold.
    """
    table = files.read_csv(path, ["model", "attention", "bound"], NUMBERS)
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
    for identity, holds in identities.items():
        if not holds:
            raise ArtefactError("table breaks an identity", file=path, identity=identity)
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
        axes.plot(rows["context"], rows["mha_step_ratio_same_weights"], color="0.35", linestyle=line, linewidth=0.9)
        last = rows.iloc[-1]
        axes.annotate(f"batch {batch}", (last["context"], last["mha_step_ratio"]), (8, 0),
                      textcoords="offset points", va="center", fontsize=9)  # fmt: skip
    cache = gqa["mha_cache_ratio"].iloc[0]
    axes.axhline(cache, color="0.2", linewidth=1)
    axes.annotate(f"the cache alone: {cache:g} times", (table["context"].min(), cache), (0, 4),
                  textcoords="offset points", fontsize=9)  # fmt: skip
    axes.set_ylim(0.8, cache * 1.12)
