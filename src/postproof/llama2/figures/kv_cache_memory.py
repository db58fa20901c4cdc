"""Keys and values of one sequence by its length, by formula, below the budget for caches read as GB and as GiB;
measured points where a machine has them.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from postproof.charts import on_machines, plotting
from postproof.charts.on_machines import Measured
from postproof.core import tables
from postproof.llama2.figures.axes import label_tokens, plain_log
from postproof.llama2.looks import MODELS, READINGS
from postproof.published.kv_cache import GIB

TABLES = ("llama2/kv_cache_memory", "llama2/kv_max_batch")
MEASURED = ("kv_cache_alloc",)
MEASURED_NUMBERS = ["sequence", "formula_bytes", "allocated_bytes", "reserved_bytes"]


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES, MEASURED)


def main(args) -> None:
    table_file, batches_file = args.tables
    table = read(table_file)
    budgets = tables.read(batches_file, TABLES[1]).drop_duplicates("reading").set_index("reading")
    machines = on_machines.read_all(args.measured, ["model"], MEASURED_NUMBERS)
    for machine in machines:
        check_measured(machine, table)
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 5.6))
    draw_budget(axes, budgets, table)
    ends = draw_bytes(axes, table)
    draw_measured(axes, machines)
    axes.set_yscale("log")
    plain_log(axes.yaxis)
    axes.yaxis.set_minor_locator(NullLocator())
    label_tokens(axes, table["sequence"])
    axes.set(xlabel="sequence (tokens)", ylabel="GiB of keys and values (logarithmic)")
    plotting.headed(
        figure,
        says(table),
        "KV cache of one sequence in float16 by the formula, K and V of every layer, batch of one; names: its size at "
        f"{table['sequence'].max():,} tokens. {allocator(table)} {heading(machines)}",
        plotting.source(TABLES, "Public configurations, counted; no seeds."),
    )
    plotting.name_ends(axes, ends)
    plotting.save(figure, args.out_svg, args.out_png)


def says(table: pd.DataFrame) -> str:
    """The 70B's cache with its own KV heads and with as many as heads, at the largest length."""
    at = table[table["sequence"] == table["sequence"].max()].set_index("model")
    tokens = f"{table['sequence'].max():,}"
    if not {"llama2_70b", "llama2_70b_mha"} <= set(at.index):
        largest = at["formula_bytes"].idxmax()
        size = at["formula_bytes"].max() / GIB
        return f"The cache of {tokens} tokens takes {size:.3g} GiB with {MODELS[largest].long}, the most of all"
    gqa, mha = (at.loc[model, "formula_bytes"] for model in ("llama2_70b", "llama2_70b_mha"))
    own, all_heads = (at.loc[model, "kv_heads"] for model in ("llama2_70b", "llama2_70b_mha"))
    change = f"{mha / gqa:.3g} times less than" if gqa < mha else "no less than"
    return (
        f"The cache of {tokens} tokens takes {gqa / GIB:.3g} GiB with the {own} KV heads of Llama 2 70B, {change} the "
        f"{mha / GIB:.3g} GiB with {all_heads}"
    )


def allocator(table: pd.DataFrame) -> str:
    """What torch would hold beyond the formula, by its allocator's rules."""
    excess = table["allocated_ratio"].max() - 1
    if excess <= 0:
        return "By its rules torch's CUDA allocator adds nothing."
    most = table.loc[table["allocated_ratio"].idxmax()]
    return (
        f"By its rules torch's CUDA allocator adds {plotting.percent(excess, 1)} at most "
        f"({MODELS[most['model']].short}, {most['sequence']:,} tokens)."
    )


def heading(machines: list[Measured]) -> str:
    return "Circles: measured, " + "; ".join(machine.heading(200) for machine in machines) + "." if machines else ""


def read(path: Path) -> pd.DataFrame:
    """The table of llama2.kv_cache_memory.

    Raises ArtefactError when it is not of its schema, or an identity does not hold.
    """
    table = tables.read(path, TABLES[0])
    formula = 2 * table["batch"] * table["layers"] * table["sequence"] * table["kv_heads"] * table["head_dim"] * 2
    ratios = [(table[f"{kind}_bytes"] / table["formula_bytes"], table[f"{kind}_ratio"])
              for kind in ("allocated", "reserved")]  # fmt: skip
    identities = {
        "models are known": set(table["model"]) <= MODELS.keys(),
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


def draw_budget(axes: Axes, budgets: pd.DataFrame, table: pd.DataFrame) -> None:
    """The budget in bytes, read in both ways."""
    for reading, row in budgets.iterrows():
        size = row["budget_bytes"] / GIB
        axes.axhline(size, color=READINGS[reading].colour, linestyle=READINGS[reading].line, linewidth=1.2)
        side = {"GiB": (0, 4, "bottom"), "GB": (0, -4, "top")}[reading]
        axes.annotate(f"budget read as {row['budget']:g} {reading}", (table["sequence"].min(), size), side[:2],
                      textcoords="offset points", va=side[2], size=plotting.SMALL_POINTS,
                      color=READINGS[reading].colour)  # fmt: skip


def draw_bytes(axes: Axes, table: pd.DataFrame) -> list[tuple[float, float, str, str]]:
    """A line per model, a mark at each doubling. Returns where the lines end and what they are called."""
    ends = []
    for model, variant in MODELS.items():
        rows = table[table["model"] == model].sort_values("sequence")
        if rows.empty:
            continue
        doublings = rows[np.log2(rows["sequence"]) % 1 == 0]
        axes.plot(rows["sequence"], rows["formula_bytes"] / GIB, color=variant.colour, linewidth=1.8)
        axes.plot(doublings["sequence"], doublings["formula_bytes"] / GIB, color=variant.colour, marker=variant.marker,
                  markersize=5, linestyle="none")  # fmt: skip
        last = rows.iloc[-1]
        size = last["formula_bytes"] / GIB
        name = f"{variant.short}: {size:.3f} GiB"
        ends.append((last["sequence"], size, name, variant.colour))
    return ends


def draw_measured(axes: Axes, machines: list[Measured]) -> None:
    for machine in machines:
        for model, rows in machine.table.groupby("model"):
            axes.plot(rows["sequence"], rows["allocated_bytes"] / GIB, linestyle="none", marker="o", markersize=10,
                      markerfacecolor="none", color=MODELS[model].colour)  # fmt: skip
