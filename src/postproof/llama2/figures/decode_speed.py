"""Measured: time of a decode step against the number of KV heads, beside the bytes that it reads.

A row per machine; a panel per batch and context: that whose cache is the largest part of the bytes, one between, and
that where it is the smallest. All is relative to as many KV heads as query heads. Where steps were timed as a CUDA
graph, those are drawn.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from postproof.charts import on_machines, palette, plotting
from postproof.charts.on_machines import Measured
from postproof.core.errors import ArtefactError
from postproof.llama2 import looks

MEASURED = ("decode_speed",)
# As measuring/decode_speed.py names them.
ATTENTIONS = {
    "folded": looks.LOOKS["folded"],
    "gqa": looks.LOOKS["fused"],
    "expanded": looks.LOOKS["expanded"],
}
ALL_HEADS = "gqa"  # under which as many KV heads as query heads are stored: there the three are one
BYTES = looks.among("read_bytes", "cache_bytes")
LABELS = ["attention", "launch", "dtype"]
SIZES = ["heads", "head_dim", "ffn", "layers"]
SECONDS = ["median_seconds", "p25_seconds", "p75_seconds"]
NUMBERS = ["kv_heads", "batch", "context", *SIZES, "weight_bytes", "cache_bytes", "read_bytes", *SECONDS]
SETTING = ["batch", "context"]
RATIOS = ["ratio", "low", "high"]
TICKS = [0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 30]
SHOWN = 3


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, (), MEASURED)


def main(args) -> None:
    machines = on_machines.read_all(args.measured, LABELS, NUMBERS)
    panels = [(machine, of_machine) for machine in machines if len(of_machine := relative(machine))]
    if not panels:
        raise ArtefactError("no machine has a step with as many KV heads as heads", remedy=on_machines.REMEDY)
    plotting.style()
    figure = plt.figure(figsize=(13, 2 + 3.7 * len(panels)))
    rows = figure.subfigures(len(panels), 1, squeeze=False)[:, 0]
    lowest = min(of_machine[[*RATIOS, *BYTES]].min(axis=None) for _, of_machine in panels)
    highest = max(of_machine["high"].max() for _, of_machine in panels)
    for (machine, of_machine), row in zip(panels, rows):
        columns = row.subplots(1, SHOWN, sharey=True)
        settings, by_setting = shown(of_machine), dict(iter(of_machine.groupby(SETTING)))
        for axes, setting in zip(columns, settings):
            draw(axes, by_setting[setting])
            axes.set_ylim(lowest / 1.2, max(1, highest) * 1.2)
        for axes in columns[len(settings) :]:
            axes.set_axis_off()
        columns[0].set_ylabel("relative to all heads (log scale)")
        row.suptitle(f"{machine.heading(200)}\n{describe(of_machine.iloc[0])}", fontsize=9)
    figure.suptitle(
        "What fewer KV heads buy: measured time of one decode step, and the bytes that it reads", fontsize=12
    )
    legend(figure)
    plotting.save(figure, args.out_svg, args.out_png)


def relative(machine: Measured) -> pd.DataFrame:
    """Rows with median and quartiles as ratio, low and high to the step with all heads; bytes as ratios too.

    New columns: `cache_share` of the bytes read with all heads, `all_heads_seconds`. Raises ArtefactError when a way is
    unknown or a row stands twice, bytes do not add up, or quartiles are out of order.
    """
    table = machine.table
    seconds = table[["p25_seconds", "median_seconds", "p75_seconds"]]
    itemsize = table["dtype"].map({"bfloat16": 2, "float32": 4})
    numbers = 2 * table[["layers", "batch", "context", "kv_heads", "head_dim"]].prod(axis=1)
    machine.must_hold(
        {
            "ways to attend are known": set(table["attention"]) <= set(ATTENTIONS),
            "each step stands once": not table.duplicated(["attention", "launch", "kv_heads", *SETTING]).any(),
            "lower quartile <= median <= upper quartile": (seconds.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None),
            "a cache holds K and V of each layer, token and KV head": (
                table["cache_bytes"] == numbers * itemsize
            ).all(),
            "a step reads weights and cache": (
                table["weight_bytes"] + table["cache_bytes"] == table["read_bytes"]
            ).all(),
            "all steps are of one model": not table[[*SIZES, "dtype"]].drop_duplicates().iloc[1:].size,
        }
    )
    rows = table[table["launch"] == ("graph" if "graph" in set(table["launch"]) else "python")]
    all_heads = rows[(rows["attention"] == ALL_HEADS) & (rows["kv_heads"] == rows["heads"])].set_index(SETTING)
    of_setting = all_heads.reindex(pd.MultiIndex.from_frame(rows[SETTING]))
    base_seconds = of_setting["median_seconds"].to_numpy()
    rows = rows.assign(
        **{name: rows[column] / base_seconds for name, column in zip(RATIOS, SECONDS)},
        **{name: rows[name] / of_setting[name].to_numpy() for name in BYTES},
        cache_share=(of_setting["cache_bytes"] / of_setting["read_bytes"]).to_numpy(),
        all_heads_seconds=base_seconds,
    )
    return rows.dropna(subset=RATIOS)


def shown(rows: pd.DataFrame) -> list[tuple[int, int]]:
    """Batches and contexts in falling share of the cache, at most SHOWN of them: the ends, and evenly between."""
    by_share = rows.drop_duplicates(SETTING).sort_values(["cache_share", *SETTING], ascending=False)
    chosen = np.unique(np.linspace(0, len(by_share) - 1, SHOWN).round().astype(int))
    return list(by_share.iloc[chosen][SETTING].itertuples(index=False, name=None))


def describe(row: pd.Series) -> str:
    layers = f"{row['layers']:.0f} layer{'' if row['layers'] == 1 else 's'}"
    model = f"{layers} of width {row['heads'] * row['head_dim']:.0f}, {row['heads']:.0f} query heads, {row['dtype']}"
    return f"{model}, {'as a CUDA graph' if row['launch'] == 'graph' else 'launched from Python'}"


def draw(axes: Axes, rows: pd.DataFrame) -> None:
    """KV heads from all to one; every line starts at the step with all heads, 1."""
    first = rows.iloc[0]
    heads = first["heads"]
    for column, look in BYTES.items():
        by_heads = rows.drop_duplicates("kv_heads").sort_values("kv_heads", ascending=False)
        axes.plot(by_heads["kv_heads"], by_heads[column], color=look.colour, linestyle=look.line, linewidth=1.5)
    for name, way in ATTENTIONS.items():
        of_way = (rows["attention"] == name) | ((rows["attention"] == ALL_HEADS) & (rows["kv_heads"] == heads))
        times = rows[of_way].sort_values("kv_heads", ascending=False)
        if len(times) > 1:
            axes.errorbar(
                times["kv_heads"],
                times["ratio"],
                yerr=[times["ratio"] - times["low"], times["high"] - times["ratio"]],
                color=way.colour,
                marker=way.marker,
                markersize=6,
                linewidth=1.3,
                elinewidth=1,
                capsize=2,
            )
    axes.axhline(1, color=palette.DARK_GREY, linewidth=0.8)
    counts = sorted(set(rows["kv_heads"]), reverse=True)
    axes.set_xscale("log", base=2)
    axes.set_xlim(heads * 1.3, counts[-1] / 1.3)
    axes.set_xticks(counts, [f"{count:.0f}" for count in counts])
    axes.set_xlabel(f"KV heads, of {heads:.0f} query heads")
    axes.set_yscale("log")
    axes.yaxis.set(major_locator=FixedLocator(TICKS), minor_locator=NullLocator(), major_formatter="{x:g}")
    axes.tick_params(labelleft=True)
    step_ms, cache_percent = 1e3 * first["all_heads_seconds"], 100 * first["cache_share"]
    axes.set_title(
        f"batch {first['batch']:.0f}, context {first['context']:,.0f}: cache {cache_percent:.0f} % of the bytes\n"
        f"all heads: {step_ms:.3g} ms a step, {step_ms / first['batch']:.3g} ms a token",
        fontsize=9,
    )


def legend(figure) -> None:
    handles = [Line2D([], [], color=way.colour, marker=way.marker, label=way.long) for way in ATTENTIONS.values()]
    handles += [Line2D([], [], color=look.colour, linestyle=look.line, label=look.long) for look in BYTES.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9)
