"""Measured: latency of one forward pass of one prompt by its length, P50, P95 and P99; a panel per machine."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from postproof.charts import on_machines, palette, plotting
from postproof.charts.on_machines import Measured
from postproof.mixtral.looks import LOOKS, MEASURED_AS

PERCENTILES = ["p50_seconds", "p95_seconds", "p99_seconds"]
NUMBERS = ["tokens_from", "tokens_to", *PERCENTILES, "max_seconds", "repeats"]
MEASURED = ("latency_by_length",)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, (), MEASURED)


def main(args) -> None:
    machines = on_machines.read_all(args.measured, ["variant"], NUMBERS)
    for machine in machines:
        check(machine)
    plotting.style()
    figure, panels = plt.subplots(1, len(machines), figsize=(0.9 + 5.8 * len(machines), 5), sharey=True, squeeze=False)
    for axes, machine in zip(panels[0], machines):
        draw(axes, machine.table)
        axes.set_title(machine.heading(60), fontsize=9)
    panels[0][0].set_ylabel("latency of one forward pass (ms, log scale)")
    prompts = ", ".join(sorted({f"{int(n)}" for machine in machines for n in machine.table["repeats"]}))
    figure.suptitle(
        "Measured latency of one forward pass by prompt length\n"
        f"(batch 1, untrained weights, {prompts} prompts per bucket and variant)",
        fontsize=11,
    )
    legend(figure)
    plotting.save(figure, args.out_svg, args.out_png)


def check(machine: Measured) -> None:
    """Raises ArtefactError unless percentiles are in order, and each variant has each bucket once."""
    rising = machine.table[[*PERCENTILES, "max_seconds"]].diff(axis=1).iloc[:, 1:] >= 0
    machine.must_hold(
        {
            "variants are known": set(machine.table["variant"]) <= set(MEASURED_AS),
            "P50 <= P95 <= P99 <= max": rising.all(axis=None),
            "each variant has each bucket once": not machine.table.duplicated(["variant", "tokens_from"]).any(),
        }
    )


def draw(axes: Axes, table: pd.DataFrame) -> None:
    """Per bucket and variant a line from P50 (filled) by P95 (dash) to P99 (hollow), the variants side by side."""
    buckets = sorted(set(zip(table["tokens_from"].astype(int), table["tokens_to"].astype(int))))
    present = [name for name in MEASURED_AS if name in set(table["variant"])]
    for name, rows in table.groupby("variant"):
        look = LOOKS[MEASURED_AS[name]]
        offset = 0.22 * (present.index(name) - (len(present) - 1) / 2)
        x = [buckets.index(bucket) + offset for bucket in zip(rows["tokens_from"], rows["tokens_to"])]
        p50, p95, p99 = (1e3 * rows[column] for column in PERCENTILES)
        common = {"color": look.colour, "linestyle": "none", "markeredgecolor": look.colour}
        axes.vlines(x, p50, p99, color=look.colour, linewidth=1.5)
        axes.plot(x, p50, marker=look.marker, markersize=7, **common)
        axes.plot(x, p95, marker="_", markersize=11, markeredgewidth=2, **common)
        axes.plot(x, p99, marker=look.marker, markersize=6, markerfacecolor=palette.WHITE, **common)
    axes.set_xticks(range(len(buckets)), [f"{low}–{high}" for low, high in buckets])
    axes.set(xlabel="prompt length (tokens)", yscale="log")
    axes.yaxis.set(
        major_locator=LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7)), major_formatter="{x:g}", minor_formatter=NullFormatter()
    )
    axes.grid(axis="x", visible=False)


def legend(figure) -> None:
    """Variants by colour and marker in one row, percentiles by the way they are drawn in the next."""
    style = {"linestyle": "none", "markeredgewidth": 1.5}
    handles = []
    grey = palette.DARK_GREY
    marks = [("P50", "o", grey), ("P95", "_", grey), ("P99", "o", palette.WHITE)]
    for stem, (percentile, marker, face) in zip(MEASURED_AS.values(), marks):
        look = LOOKS[stem]
        handles.append(Line2D([], [], color=look.colour, marker=look.marker, label=look.long, **style))
        handles.append(Line2D([], [], color=grey, marker=marker, markerfacecolor=face, label=percentile, **style))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(marks), fontsize=9)
