"""Measured: time of RMSNorm relative to LayerNorm by width, in the numbers in which the machine's block was timed.

A row per machine. Each ratio is to torch's LayerNorm run in the same way, which was timed in turn with it. Where a
machine replayed kernels as a CUDA graph, those are drawn: launches from Python would hide them at small widths. The
heading says which share of a block's time its two norms take: the most that any other norm could save. Purple areas:
the post's ranges, which the paper that it has them from reports of whole models.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator

from postproof.charts import on_machines, palette, plotting
from postproof.charts.on_machines import Measured
from postproof.charts.palette import POSTED
from postproof.charts.plotting import percent
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.llama2 import looks

TABLES = ("llama2/posted_norm_speed",)
MEASURED = ("norm_speed",)
# Code and norm, as measuring/norm_speed.py names them. Eager, the five lines are five kernels and more: not drawn.
WAYS = {
    ("eager", "rms_module"): looks.LOOKS["eager"],
    ("compiled", "rms_module"): looks.LOOKS["compiled"],
    ("compiled", "rms_plain"): looks.LOOKS["plain"],
}
# Short enough for half a column.
NAMES = {
    ("eager", "rms_module"): "eager: torch.nn's",
    ("compiled", "rms_module"): "compiled: torch.nn's",
    ("compiled", "rms_plain"): "compiled: five lines",
}
# Models of the post's ranges, how they are named, and opacity.
POSTED_RANGES = {"all": ("all models", 0.3), "transformers": ("transformers", 1.0)}
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
    plotting.add_arguments(parser, TABLES, MEASURED)


def main(args) -> None:
    saved = read_saved(args.tables[0])
    machines = on_machines.read_all(args.measured, LABELS, ["rows", "width", *SECONDS])
    panels = [(machine, ratios(machine), shares(machine)) for machine in machines]
    panels = [(machine, of_one_dtype(of_machine, share), share) for machine, of_machine, share in panels
              if len(of_machine) or len(share)]  # fmt: skip
    if not panels:
        raise ArtefactError("no machine has a LayerNorm to compare with", remedy=on_machines.REMEDY)
    passes = list(PASSES) if len(panels) <= len(PASSES) else list(PASSES)[:1]
    plotting.style()
    size = (plotting.COLUMN, 2.6 + 2.7 * len(panels))
    figure, grid = plt.subplots(len(panels), len(passes), figsize=size, squeeze=False)
    low, high = (1 - saved.max(axis=None)) / 1.15, 1.25
    for _, of_machine, _ in panels:
        low, high = min(low, of_machine["low"].min() / 1.1), max(high, of_machine["high"].max() * 1.1)
    for (machine, of_machine, _), row in zip(panels, grid):
        for axes, what in zip(row, passes):
            draw_posted(axes, saved)
            draw_ratios(axes, of_machine[of_machine["what"] == what], (low, high))
            title = f"{machine.device_name}, {machine.threads} thread{'s' * (machine.threads > 1)}\n{PASSES[what]}"
            axes.set_title(title, fontsize=8.5, loc="left")
        if any(axes.get_yscale() == "log" for axes in row):
            row[0].set_ylabel("times LayerNorm's time\n(log)")
    for axes in grid[-1]:
        axes.set_xlabel("features of a token (log)" if axes.get_xscale() == "log" else "")
    grid[0][0].legend(handles=legend(), loc="best", fontsize=plotting.SMALL_POINTS, borderaxespad=0.1)
    plotting.headed(
        figure,
        says(panels, saved),
        "Time of RMSNorm over that of LayerNorm run alike, medians with quartiles; below 1 RMSNorm is faster. Heading: "
        "torch.nn's norms at the largest width, and the share of a block's time forward. Purple: the post's ranges, of "
        "all models and of transformers (in its source: of whole models). "
        f"{'; '.join(dict.fromkeys(describe(of_machine) for _, of_machine, _ in panels))}.",
        f"Measured: {'; '.join(machine.heading(200) for machine, _, _ in panels)}. "
        f"Source: data/measured/{MEASURED[0]}, {tables.path_of(TABLES[0])}.",
    )
    plotting.save(figure, args.out_svg, args.out_png)


def of_one_dtype(of_machine: pd.DataFrame, share: pd.DataFrame) -> pd.DataFrame:
    """The ratios in the numbers in which the block was timed, or in the first of DTYPES that there is."""
    wanted = [*share["dtype"].unique(), *DTYPES]
    dtype = next((dtype for dtype in wanted if dtype in set(of_machine["dtype"])), None)
    return of_machine[of_machine["dtype"] == dtype]


def read_saved(path: Path) -> pd.DataFrame:
    """The shares of time that the post has saved, by models; columns least and most.

    Raises ArtefactError when the table is not of its schema, or a range is not whole or upside down.
    """
    table = tables.read(path, *TABLES)
    ends = table.pivot_table(index="models", columns="end", values="time_saved_percent", aggfunc="sum") / 100
    saved = ends.reindex(index=list(POSTED_RANGES), columns=["least", "most"])
    whole = not saved.isna().any(axis=None) and len(table) == saved.size
    tables.must_hold(path, {"each range has two ends": whole, "least <= most": (saved["least"] <= saved["most"]).all()})
    return saved


def says(panels: list[tuple[Measured, pd.DataFrame, pd.DataFrame]], saved: pd.DataFrame) -> str:
    """The compiled ratios at the largest width, forward and with the backward pass; what two norms take at most, and
    whether the post's gain in transformers could come out of that.
    """
    rows = pd.concat([of_machine for _, of_machine, _ in panels])
    rows = rows[(rows["code"] == "compiled") & (rows["norm"] == RMS)]
    rows = rows[rows["width"] == rows["width"].max()]
    times = {}
    for what, of_pass in rows.groupby("what")["ratio"]:
        least, most = f"{of_pass.min():.2f}", f"{of_pass.max():.2f}"
        times[what] = least if least == most else f"{least} to {most}"
    said = [f"{times[what]} times{whose} {name}" for what, name, whose in
            (("forward", "forward", " LayerNorm's time"), ("forward_backward", "with the backward pass", ""))
            if what in times]  # fmt: skip
    sentences = [f"Compiled, RMSNorm takes {' and '.join(said)}"] if said else []
    share = pd.concat([share for _, _, share in panels])
    if len(share):
        most, of_post = share["share"].max(), saved.loc["transformers"]
        range_of_post = f"{100 * of_post['least']:.0f} to {percent(of_post['most'])}"
        sentences.append(
            f"a block's two norms are at most {percent(most, 1)} of its time, "
            f"{'less than' if most < of_post['least'] else 'beside'} the post's gain of {range_of_post}"
        )
    sentence = "; ".join(sentences) or "RMSNorm relative to LayerNorm, not compiled"
    return sentence[0].upper() + sentence[1:]


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
        return "no norm alone could be compared"
    how = {"graph": "kernels alone, as a CUDA graph", "python": "launched from Python"}[rows["launch"].iloc[0]]
    return f"{rows['rows'].iloc[0]:,.0f} tokens in {rows['dtype'].iloc[0]}, {how}"


def draw_ratios(axes: Axes, rows: pd.DataFrame, limits: tuple[float, float]) -> None:
    """Ratio by width, a line per way; bars are quartiles of RMSNorm."""
    if rows.empty:
        axes.text(0.5, 0.5, "no norm alone was timed", transform=axes.transAxes, ha="center",
                  size=plotting.SMALL_POINTS)  # fmt: skip
        axes.set(xticks=[], yticks=[])
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
            linewidth=1.5,
            elinewidth=1,
            capsize=2,
        )
    axes.axhline(1, color=palette.DARK_GREY, linewidth=1)
    axes.set(xscale="log", yscale="log", ylim=limits)
    widths = sorted(set(rows["width"]))
    axes.set_xlim(widths[0] / 1.4, widths[-1] * 1.4)
    axes.set_xticks(widths, [f"{width:,.0f}" for width in widths])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set(major_locator=FixedLocator(TICKS), minor_locator=NullLocator(), major_formatter="{x:g}")


def draw_posted(axes: Axes, saved: pd.DataFrame) -> None:
    """The post's ranges as areas: it names no width."""
    for models, (_, alpha) in POSTED_RANGES.items():
        least, most = saved.loc[models, ["least", "most"]]
        axes.axhspan(1 - most, 1 - least, color=POSTED.colour, alpha=alpha, linewidth=0, zorder=0)


def legend() -> list[Line2D | Patch]:
    ways = [Line2D([], [], color=way.colour, marker=way.marker, markersize=5, label=NAMES[key])
            for key, way in WAYS.items()]  # fmt: skip
    ranges = [Patch(color=POSTED.colour, alpha=alpha, linewidth=0, label=f"{POSTED.long}: {named}")
              for named, alpha in POSTED_RANGES.values()]  # fmt: skip
    return [*ways, *ranges]
