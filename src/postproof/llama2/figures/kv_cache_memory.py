"""Keys and values of one sequence by its length, by formula, below the budget for caches read as GB and as GiB;
crosses where the post gives a size or measured one, circles where a machine of ours did.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from postproof.charts import on_machines, plotting, posted_marks
from postproof.charts.on_machines import Measured
from postproof.core import tables
from postproof.llama2.figures.axes import label_tokens, plain_log
from postproof.llama2.looks import MODELS, READINGS
from postproof.published.kv_cache import GIB

TABLES = (
    "llama2/kv_cache_memory",
    "llama2/kv_max_batch",
    "llama2/posted_kv_cache_memory",
    "llama2/posted_kv_cache_ratio",
)
MEASURED = ("kv_cache_alloc",)
HALF_DIGIT = 0.0005  # GiB: the post has three decimals
MEASURED_NUMBERS = ["sequence", "formula_bytes", "allocated_bytes", "reserved_bytes"]


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES, MEASURED)


def main(args) -> None:
    table = read(args.tables[0])
    batches, posted, ratios = tables.read_all(args.tables[1:], TABLES[1:])
    posted, ratios = (beside_ours(each, table) for each in (posted, ratios))
    budgets = batches.drop_duplicates("reading").set_index("reading")
    machines = on_machines.read_all(args.measured, ["model"], MEASURED_NUMBERS)
    for machine in machines:
        check_measured(machine, table)
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 5.6))
    draw_budget(axes, budgets, table)
    ends = draw_bytes(axes, table)
    draw_measured(axes, machines)
    measured = ratios["allocated_ratio_posted"] * ratios["formula_bytes"] / GIB
    posted_marks.mark(axes, ratios["sequence"], measured)
    posted_marks.mark(axes, posted["sequence"], posted["cache_gib"])
    axes.set_yscale("log")
    plain_log(axes.yaxis)
    axes.yaxis.set_minor_locator(NullLocator())
    label_tokens(axes, table["sequence"])
    axes.set(xlabel="sequence (tokens, log)", ylabel="GiB of keys and values (log)")
    plotting.headed(
        figure,
        says(table, posted),
        "KV cache of one sequence in float16 by the formula, K and V of every layer, batch of one; names: its size at "
        f"{table['sequence'].max():,} tokens. {allocator(table)}{measured_by_post(ratios)} {heading(machines)}",
        plotting.source(TABLES, "Public configurations, counted; no seeds. Crosses: the post's text."),
    )
    axes.legend(handles=[posted_marks.handle()], loc="lower right")
    plotting.name_ends(axes, ends)
    plotting.save(figure, args.out_svg, args.out_png)


def beside_ours(posted: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The post's rows, each with the table's row of that model and length; a column of both names ends in _posted."""
    return posted.merge(table, on=["model", "sequence"], suffixes=("_posted", ""))


def says(table: pd.DataFrame, posted: pd.DataFrame) -> str:
    """The 70B's cache with its own KV heads and with as many as heads, at the largest length; if the post has that."""
    return f"{of_70b(table)}; {as_posted(posted)}"


def as_posted(posted: pd.DataFrame) -> str:
    """How many of the post's sizes are those of the formula, to the post's digits."""
    same = (posted["cache_gib"] - posted["formula_bytes"] / GIB).abs() <= HALF_DIGIT * (1 + 1e-6)
    if same.all():
        return f"the post's {len(same)} sizes agree"
    return f"of the post's {len(same)} sizes {same.sum() or 'none'} agree{'s' if same.sum() <= 1 else ''}"


def of_70b(table: pd.DataFrame) -> str:
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


def measured_by_post(ratios: pd.DataFrame) -> str:
    """What the author's card had beyond the formula, where the rules are farthest from it."""
    if ratios.empty:
        return ""
    row = ratios.loc[(ratios["allocated_ratio_posted"] - ratios["allocated_ratio"]).abs().idxmax()]
    theirs, rules = (plotting.percent(row[f"allocated_ratio{end}"] - 1, 1) for end in ("_posted", ""))
    rules = rules if row["allocated_ratio"] > 1 else "nothing"
    where = f"{MODELS[row['model']].short}, {row['sequence']:,} tokens"
    return f" The post measured {theirs} more than the formula where the rules have {rules} ({where})."


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
