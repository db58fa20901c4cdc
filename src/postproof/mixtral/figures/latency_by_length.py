"""Measured: latency of one forward pass of one prompt by its length, P50, P95 and P99; a panel per machine."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from postproof.charts import on_machines, palette, plotting
from postproof.charts.on_machines import Measured
from postproof.mixtral.figures import rerun_marks
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
    columns = min(2, len(machines))
    rows = -(-len(machines) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(plotting.COLUMN, 2.2 + 2.9 * rows), sharex=True, sharey=True, squeeze=False
    )
    for axes in grid.flat[len(machines) :]:
        axes.set_axis_off()
    for axes, machine in zip(grid.flat, machines):
        draw(axes, machine.table)
        axes.set_title(machine.heading(44), fontsize=plotting.SMALL_POINTS)
    for axes in grid[:, 0]:
        axes.set_ylabel("ms (log)")
    for axes in grid[-1]:
        axes.set_xlabel("prompt length (tokens)")
    prompts = ", ".join(sorted({f"{int(n):,}" for machine in machines for n in machine.table["repeats"]}))
    legend(grid[0][0])
    plotting.headed(
        figure,
        says([machine.table for machine in machines]),
        f"Milliseconds of a forward pass, batch 1, {prompts} prompts per bucket and variant. P50: filled "
        "marks; P95: dashes; "
        "P99: hollow marks.",
        plotting.source([f"mixtral/measured_{name}" for name in MEASURED], "Models of the post's size, untrained."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(measured: Sequence[pd.DataFrame]) -> str:
    """The MoE's median latency over the dense model's in the shortest and in the longest bucket, over the machines."""
    shortest, longest = [], []
    for table in measured:
        p50 = table.pivot(index="tokens_from", columns="variant", values="p50_seconds")
        if {"dense", "ours"} <= set(p50):
            ratios = (p50["ours"] / p50["dense"]).dropna()
            shortest += ratios.iloc[:1].tolist()
            longest += ratios.iloc[-1:].tolist()
    if not shortest:
        return "No machine has measured both the dense model and the MoE"
    return (
        f"The MoE takes {span(shortest)} times as long as the dense model for a short prompt, {span(longest)} "
        "times for "
        "a long one (median)"
    )


def span(ratios: Sequence[float]) -> str:
    low, high = rerun_marks.fixed(min(ratios), 2), rerun_marks.fixed(max(ratios), 2)
    return low if low == high else f"{low} to {high}"


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
    axes.set_xticks(range(len(buckets)), [f"{low}–{high}" for low, high in buckets], size=9)
    axes.tick_params(labelbottom=True)
    axes.set(yscale="log")
    axes.yaxis.set(
        major_locator=LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7)), major_formatter="{x:g}", minor_formatter=NullFormatter()
    )
    axes.grid(axis="x", visible=False)


def legend(axes: Axes) -> None:
    """Variants; how percentiles are drawn is said in the heading."""
    style = {"linestyle": "none", "markersize": 6}
    looks = [LOOKS[stem] for stem in MEASURED_AS.values()]
    handles = [Line2D([], [], color=look.colour, marker=look.marker, label=look.long, **style) for look in looks]
    axes.legend(handles=handles, loc="upper left", fontsize=plotting.SMALL_POINTS)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.25)  # so that the legend has a place
