"""Keys and values of one sequence by its length in GiB and GB, by formula; what the CUDA caching allocator adds by its
rules, and measured points where a machine has them.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import on_machines, palette, plotting
from postproof.charts.on_machines import Measured
from postproof.core import tables
from postproof.llama2.figures.axes import label_tokens, plain_log
from postproof.llama2.looks import MODELS
from postproof.published.kv_cache import GB, GIB

TABLES = ("llama2/kv_cache_memory",)
MEASURED = ("kv_cache_alloc",)
MEASURED_NUMBERS = ["sequence", "formula_bytes", "allocated_bytes", "reserved_bytes"]
SMALLEST = "gpt2_xl"  # of which the post has a ratio


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES, MEASURED)


def main(args) -> None:
    table = read(*args.tables)
    machines = on_machines.read_all(args.measured, ["model"], MEASURED_NUMBERS)
    for machine in machines:
        check_measured(machine, table)
    plotting.style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5.4))
    draw_bytes(left, table)
    draw_ratio(right, table, machines)
    figure.suptitle("KV cache of one sequence in float16: K and V of every layer (batch 1)", fontsize=12)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    plotting.save(figure, args.out_svg, args.out_png)


def read(path: Path) -> pd.DataFrame:
    """The table of llama2.kv_cache_memory.

    Raises ArtefactError when it is not of its schema, a model is missing, or an identity does not hold.
    """
    table = tables.read(path, *TABLES)
    formula = 2 * table["batch"] * table["layers"] * table["sequence"] * table["kv_heads"] * table["head_dim"] * 2
    ratios = [(table[f"{kind}_bytes"] / table["formula_bytes"], table[f"{kind}_ratio"])
              for kind in ("allocated", "reserved")]  # fmt: skip
    identities = {
        "models are known": set(table["model"]) <= MODELS.keys() and SMALLEST in set(table["model"]),
        "bytes are 2 B L T G d x 2": (table["formula_bytes"] == formula).all(),
        "tensors hold the bytes": (table["tensors"] * table["tensor_bytes"] == table["formula_bytes"]).all(),
        "formula <= allocated <= reserved": (
            (table["formula_bytes"] <= table["allocated_bytes"]) & (table["allocated_bytes"] <= table["reserved_bytes"])
        ).all(),
        "ratios are those of the bytes": all(np.allclose(one, other) for one, other in ratios),
        "each model has each sequence once": not table.duplicated(["model", "sequence"]).any(),
    }
    tables.must_hold(path, identities)
    return table


def check_measured(machine: Measured, table: pd.DataFrame) -> None:
    """Raises ArtefactError unless the measured sizes are those of the table."""
    both = machine.table.merge(table, on=["model", "sequence"], suffixes=("", "_here"))
    machine.must_hold(
        {
            "measured models and sequences are in the table": len(both) == len(machine.table),
            "measured and tabulated formula agree": (both["formula_bytes"] == both["formula_bytes_here"]).all(),
        }
    )


def draw_bytes(axes: Axes, table: pd.DataFrame) -> None:
    for model, variant in MODELS.items():
        rows = table[table["model"] == model]
        if rows.empty:
            continue
        doublings = rows[np.log2(rows["sequence"]) % 1 == 0]
        axes.plot(rows["sequence"], rows["formula_bytes"] / GIB, color=variant.colour, linewidth=1.5)
        axes.plot(doublings["sequence"], doublings["formula_bytes"] / GIB, color=variant.colour, marker=variant.marker,
                  linestyle="none", label=variant.long)  # fmt: skip
        last = rows.iloc[-1]
        # The lines of the 70B and of GPT-2 XL end close together.
        up = {"llama2_7b": 3, "gpt2_xl": -6, "llama2_70b": 2}.get(model, 0)
        gib, gb = (last["formula_bytes"] / unit for unit in (GIB, GB))
        axes.annotate(f"{gib:.3f} GiB = {gb:.3f} GB", (last["sequence"], gib), (9, up), textcoords="offset points",
                      va="center", fontsize=9)  # fmt: skip
    axes.set_yscale("log")
    plain_log(axes.yaxis)
    label_tokens(axes, table["sequence"], room=3.2)
    axes.set(xlabel="sequence (tokens)", ylabel="GiB of keys and values (logarithmic)")
    axes.set_title("By the formula; the largest length in both units", fontsize=10)


def draw_ratio(axes: Axes, table: pd.DataFrame, machines: list[Measured]) -> None:
    """A stem where the allocator holds more than the formula says, a small mark where it holds just that."""
    for index, (model, variant) in enumerate(MODELS.items()):
        rows = table[table["model"] == model]
        x = rows["sequence"] * (1 + 0.01 * (index - 2))  # apart, so that equal ratios show
        above = rows["allocated_bytes"] > rows["formula_bytes"]
        axes.vlines(x[above], 1, rows["allocated_ratio"][above], color=variant.colour, linewidth=1)
        axes.plot(x[above], rows["allocated_ratio"][above], color=variant.colour, marker=variant.marker, markersize=6,
                  linestyle="none")  # fmt: skip
        axes.plot(x[~above], rows["allocated_ratio"][~above], color=variant.colour, marker="|", markersize=5,
                  linestyle="none")  # fmt: skip
        for machine in machines:
            found = machine.table[machine.table["model"] == model]
            axes.plot(found["sequence"] * (1 + 0.01 * (index - 2)), found["allocated_bytes"] / found["formula_bytes"],
                      linestyle="none", marker="o", markersize=10, markerfacecolor="none",
                      color=variant.colour)  # fmt: skip
    smallest = table[table["model"] == SMALLEST].iloc[0]
    level, tensors = smallest["one_tensor_more_ratio"], int(smallest["tensors"])
    axes.axhline(level, color=palette.DARK_GREY, linestyle=":", linewidth=1.2)
    top = max(table["allocated_ratio"].max(), level)
    axes.annotate(f"{MODELS[SMALLEST].short} with one tensor\nmore alive, {tensors + 1} for {tensors}: {level:.3f}",
                  (table["sequence"].min(), level), (0, 4), textcoords="offset points", fontsize=9)  # fmt: skip
    label_tokens(axes, table["sequence"])
    axes.set(xlabel=f"sequence (tokens; every {table['sequence'].min()} of them; dashes on the line: nothing added)",
             ylabel="memory_allocated() over the formula",
             ylim=(1 - 0.04 * (top - 1), top + 0.12 * (top - 1)))  # fmt: skip
    axes.grid(axis="x", visible=False)
    note = "not measured: no table from a CUDA device is at hand"
    if machines:
        note = "\n".join(["circles: measured", *(machine.heading(70) for machine in machines)])
    axes.set_title(f"What the CUDA caching allocator adds, by its rules\n({note})", fontsize=10)
