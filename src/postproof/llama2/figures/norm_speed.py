"""Measured: time of RMSNorm relative to LayerNorm by width, and the share of a block's time that its two norms take.

A row per machine. Each ratio is to torch's LayerNorm run in the same way, which was timed in turn with it. Where a
machine replayed kernels as a CUDA graph, those are drawn: launches from Python would hide them at small widths. The
share is the most of a block's time that any other norm could save.
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

MEASURED = ("norm_speed",)
# Code and norm, as measuring/norm_speed.py names them. Eager, the five lines are five kernels and more: not drawn.
WAYS = {
    ("eager", "rms_module"): looks.LOOKS["eager"],
    ("compiled", "rms_module"): looks.LOOKS["compiled"],
    ("compiled", "rms_plain"): looks.LOOKS["plain"],
}
LAYER, RMS = "layer_module", "rms_module"
NORMS = looks.among(LAYER, RMS)
PASSES = {"forward": "forward", "forward_backward": "forward and backward"}
DTYPES = ["bfloat16", "float32"]
LABELS = ["norm", "code", "launch", "kind", "what", "dtype", "share_of_block"]
KEY = ["norm", "code", "launch", "kind", "what", "width", "dtype"]
SECONDS = ["median_seconds", "p25_seconds", "p75_seconds"]
RATIOS = ["ratio", "low", "high"]
TICKS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100]


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, (), MEASURED)


def main(args) -> None:
    machines = on_machines.read_all(args.measured, LABELS, ["rows", "width", *SECONDS])
    panels = [(machine, ratios(machine), shares(machine)) for machine in machines]
    panels = [panel for panel in panels if len(panel[1]) or len(panel[2])]
    if not panels:
        raise ArtefactError("no machine has a LayerNorm to compare with", remedy=on_machines.REMEDY)
    plotting.style()
    figure = plt.figure(figsize=(15, 1.9 + 3.3 * len(panels)))
    rows = figure.subfigures(len(panels), 1, squeeze=False)[:, 0]
    low, high = 0.8, 1.25
    for _, of_machine, _ in panels:
        low, high = min(low, of_machine["low"].min() / 1.1), max(high, of_machine["high"].max() * 1.1)
    for (machine, of_machine, share), row in zip(panels, rows):
        *columns, last = row.subplots(1, 5, width_ratios=[1, 1, 1, 1, 1.25])
        for axes, (dtype, what) in zip(columns, [(dtype, what) for dtype in DTYPES for what in PASSES]):
            draw_ratios(axes, of_machine[(of_machine["dtype"] == dtype) & (of_machine["what"] == what)], (low, high))
            axes.set_title(f"{dtype}, {PASSES[what]}", fontsize=9)
        columns[0].set_ylabel("RMSNorm / LayerNorm\n(log scale, below 1 RMSNorm is faster)")
        draw_shares(last, share)
        row.suptitle(f"{machine.heading(200)}\n{describe(of_machine)}", fontsize=9)
    figure.suptitle("Measured time of RMSNorm relative to LayerNorm, and what both take of a Llama block", fontsize=12)
    legend(figure)
    plotting.save(figure, args.out_svg, args.out_png)


def ratios(machine: Measured) -> pd.DataFrame:
    """Rows of RMSNorm with its ratios to LayerNorm run alike: columns ratio, low, high.

    Raises ArtefactError when a norm is unknown, a row stands twice or the quartiles are out of order.
    """
    table = machine.table
    seconds = table[["p25_seconds", "median_seconds", "p75_seconds"]]
    machine.must_hold(
        {
            "norms are known": set(table["norm"]) <= {"rms_module", "layer_module", "rms_plain", "none"},
            "each norm stands once": not table.duplicated(KEY).any(),
            "lower quartile <= median <= upper quartile": (seconds.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None),
            "all norms have the same rows": table.loc[table["kind"] == "norm", "rows"].nunique() <= 1,
        }
    )
    rows = launched(table[table["kind"] == "norm"])
    layer = rows[rows["norm"] == LAYER].set_index(["code", "what", "width", "dtype"])["median_seconds"]
    layer_seconds = layer.reindex(pd.MultiIndex.from_frame(rows[layer.index.names])).to_numpy()
    rows = rows.assign(**{name: rows[column] / layer_seconds for name, column in zip(RATIOS, SECONDS)})
    drawn = pd.MultiIndex.from_frame(rows[["code", "norm"]]).isin(list(WAYS))
    return rows[drawn].dropna(subset=RATIOS)


def shares(machine: Measured) -> pd.DataFrame:
    """Rows of a block's two norms alone, with `share`, their time over that of the block with these norms.

    Raises ArtefactError when the share stored is another.
    """
    rows = launched(machine.table[machine.table["kind"].isin(["block", "block_norms"])])
    block = rows[rows["kind"] == "block"].set_index(["code", "norm"])["median_seconds"]
    norms = rows[(rows["kind"] == "block_norms") & rows["norm"].isin(NORMS)]
    norms = norms.assign(
        share=norms["median_seconds"] / block.reindex(pd.MultiIndex.from_frame(norms[block.index.names])).to_numpy()
    )
    norms = norms.dropna(subset="share")
    stored = pd.to_numeric(norms["share_of_block"], errors="coerce")
    machine.must_hold({"share is norms' time over the block's": np.allclose(norms["share"], stored, rtol=1e-6, atol=0)})
    return norms


def launched(rows: pd.DataFrame) -> pd.DataFrame:
    """Those replayed as a CUDA graph, or where there are none those launched from Python."""
    return rows[rows["launch"] == ("graph" if "graph" in set(rows["launch"]) else "python")]


def describe(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "no norm could be compared"
    how = {"graph": "kernels alone, as a CUDA graph", "python": "launched from Python"}[rows["launch"].iloc[0]]
    return f"{rows['rows'].iloc[0]:,.0f} tokens, {how}"


def draw_ratios(axes: Axes, rows: pd.DataFrame, limits: tuple[float, float]) -> None:
    """Ratio by width, a line per way; bars are quartiles of RMSNorm."""
    if rows.empty:
        axes.set_axis_off()
        return
    for (code, norm), way in WAYS.items():
        line = rows[(rows["code"] == code) & (rows["norm"] == norm)].sort_values("width")
        axes.errorbar(
            line["width"],
            line["ratio"],
            yerr=[line["ratio"] - line["low"], line["high"] - line["ratio"]],
            color=way.colour,
            marker=way.marker,
            markersize=5,
            linewidth=1.3,
            elinewidth=1,
            capsize=2,
        )
    axes.axhline(1, color=palette.DARK_GREY, linewidth=1)
    axes.set(xscale="log", yscale="log", ylim=limits, xlabel="features of a token (log scale)")
    widths = sorted(set(rows["width"]))
    axes.set_xlim(widths[0] / 1.4, widths[-1] * 1.4)
    axes.set_xticks(widths, [f"{width:.0f}" for width in widths], fontsize=8)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set(major_locator=FixedLocator(TICKS), minor_locator=NullLocator(), major_formatter="{x:g}")


def draw_shares(axes: Axes, rows: pd.DataFrame) -> None:
    """A bar per code and norm, with its number."""
    if rows.empty:
        axes.set_axis_off()
        return
    bars = [(code, norm) for code in ("eager", "compiled") for norm in NORMS]
    percent = 100 * rows.set_index(["code", "norm"])["share"]
    present = [bar for bar in bars if bar in percent.index]
    for y, bar in enumerate(present):
        axes.barh(y, percent[bar], color=NORMS[bar[1]].colour, height=0.6)
        axes.annotate(f"{percent[bar]:.2g} %", (percent[bar], y), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(present)), [f"{NORMS[norm].short},\n{code}" for code, norm in present], fontsize=8)
    axes.set_ylim(len(present) - 0.5, -0.5)
    axes.set_xlim(0, 1.35 * percent.max())
    axes.set_xlabel("share of the block's time (%)")
    axes.grid(axis="y", visible=False)
    first = rows.iloc[0]
    size = f"width {first['width']:.0f}, {first['rows']:,.0f} tokens, {first['dtype']}"
    axes.set_title(f"two norms in a block, forward: the\nmost that can be gained\n({size})", fontsize=9)


def legend(figure) -> None:
    handles = [
        Line2D([], [], color=way.colour, marker=way.marker, markersize=5, label=way.long) for way in WAYS.values()
    ]
    handles.append(Line2D([], [], color=palette.DARK_GREY, linewidth=1, label="as long as LayerNorm"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9)
