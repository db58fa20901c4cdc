"""Measured: time of a training step of each way to compute the mixture, relative to the dense model's step; the line is
the ratio of their FLOPs.

A panel per machine and size. Each ratio is to the dense step launched in the same way, which was timed in turn with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from postproof.charts import on_machines, palette, plotting
from postproof.charts.on_machines import Measured
from postproof.core.errors import ArtefactError
from postproof.mixtral.figures import rerun_marks
from postproof.mixtral.looks import LOOKS, MEASURED_AS

# What mixtral/measuring/moe_variants.py computes; those that other charts have too are drawn as they are there.
WAYS = {
    "dense": LOOKS["dense"].long,
    "ours": "MoE, sorted by expert (ours)",
    "loop": LOOKS["loop"].long,
    "grouped": "MoE, one grouped product",
    "all_experts": "MoE, all experts on every token",
    "transformers": "Mixtral block of transformers",
    "transformers_grouped": "the same, grouped products",
}
LAUNCHES = ("eager", "compiled")
# Of each size, the precision and attention that are drawn: the post's, and what one would train the larger one in.
SIZES = {"posted": ("float32", "plain"), "large": ("bfloat16", "fused")}
LABELS = ["variant", "launch", "size", "precision", "attention", "what"]
SECONDS = ["median_seconds", "p25_seconds", "p75_seconds"]
RATIOS = ["ratio", "low", "high"]
TICKS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 6, 8, 10, 15, 20, 30, 50, 100]
MEASURED = ("moe_step",)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, (), MEASURED)


def main(args) -> None:
    machines = on_machines.read_all(args.measured, LABELS, ["d_model", "batch", "tokens", "flops", *SECONDS])
    panels = [{size: rows for size in SIZES if len(rows := steps(machine, size))} for machine in machines]
    sizes = [size for size in SIZES if any(size in of_machine for of_machine in panels)]
    if not sizes:
        raise ArtefactError("no machine has a dense step to compare with", remedy=on_machines.REMEDY)
    plotting.style()
    figure, grid = plt.subplots(
        len(machines),
        len(sizes),
        figsize=(plotting.COLUMN, 2.1 + 2.9 * len(machines)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for machine, of_machine, row in zip(machines, panels, grid):
        for size, axes in zip(sizes, row):
            if size in of_machine:
                draw(axes, of_machine[size])
                axes.set_title(f"{machine.heading(44)}\n{one(of_machine[size])}", fontsize=plotting.SMALL_POINTS)
            else:
                axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_yticks(range(len(WAYS)), WAYS.values(), size=9)
        axes.set_ylim(len(WAYS) - 0.5, -0.5)
    for axes in grid[-1]:
        axes.set(xlabel="times the dense step (log)")
    drawn = [rows for of_machine in panels for rows in of_machine.values()]
    described = dict.fromkeys(describe(rows) for rows in drawn)
    plotting.headed(
        figure,
        says(drawn),
        "Median time of a training step and its quartiles, over the dense step launched alike. Filled: eager; hollow: "
        "compiled (torch.compile). Blue line: as long as dense; dashed: FLOPs of MoE over dense. "
        f"Models: {'; '.join(described)}.",
        plotting.source([f"mixtral/measured_{name}" for name in MEASURED], "Models of the post's size, or as stated."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(measured: Sequence[pd.DataFrame]) -> str:
    """Which share of the dense step the sorted MoE takes, eager, over the panels, and what its FLOPs would have it."""
    taken, flops = [], []
    for rows in measured:
        ours = rows[(rows["variant"] == "ours") & (rows["launch"] == "eager")]
        taken += ours["ratio"].tolist()
        flops += (ours["flops"] / rows.loc[rows["variant"] == "dense", "flops"].iloc[0]).tolist()
    if not taken:
        return "No machine has measured a step of the sorted MoE"
    return (
        f"A step of the MoE, sorted by expert, takes {span(taken)} times the dense step, "
        f"{'more' if min(taken) > max(flops) else 'and not more'} than its {span(flops)} times the FLOPs"
    )


def span(ratios: Sequence[float]) -> str:
    low, high = rerun_marks.fixed(min(ratios), 2), rerun_marks.fixed(max(ratios), 2)
    return low if low == high else f"{low} to {high}"


def steps(machine: Measured, size: str) -> pd.DataFrame:
    """Training steps of one size, with their ratios to dense of the same launch: columns ratio, low, high.

    When memory ran out at a batch, a smaller one was measured too; the smallest is complete. Raises ArtefactError when
    a way is unknown or stands twice, the quartiles are out of order, or the ways of MoE differ in FLOPs.
    """
    precision, attention = SIZES[size]
    table = machine.table
    rows = table[
        (table["what"] == "step")
        & (table["size"] == size)
        & (table["precision"] == precision)
        & (table["attention"] == attention)
        & table["launch"].isin(LAUNCHES)
    ]
    rows = rows[rows["batch"] == rows["batch"].min()]
    is_dense = rows["variant"] == "dense"
    seconds = rows[["p25_seconds", "median_seconds", "p75_seconds"]]
    machine.must_hold(
        {
            "variants are known": set(rows["variant"]) <= set(WAYS),
            "each variant and launch stands once": not rows.duplicated(["variant", "launch"]).any(),
            "lower quartile <= median <= upper quartile": (seconds.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None),
            "every way of MoE has the same FLOPs": rows.loc[~is_dense, "flops"].nunique() <= 1,
        }
    )
    dense = rows[is_dense].set_index("launch")["median_seconds"]
    rows = rows[rows["launch"].isin(dense.index)]
    dense_seconds = dense.loc[rows["launch"]].to_numpy()
    return rows.assign(**{name: rows[column] / dense_seconds for name, column in zip(RATIOS, SECONDS)})


def describe(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    size = f"width {first['d_model']:.0f}, {first['tokens']:,.0f} tokens, {first['precision']}"
    return f"{size}, {first['attention']} attention"


def one(rows: pd.DataFrame) -> str:
    """The dense step that is 1."""
    dense = rows[rows["variant"] == "dense"].set_index("launch")["median_seconds"]
    times = ", ".join(f"{1e3 * dense[launch]:,.3g} ms {launch}" for launch in LAUNCHES if launch in dense)
    return f"dense step, width {rows['d_model'].iloc[0]:.0f}: {times}"


def draw(axes: Axes, rows: pd.DataFrame) -> None:
    """A line of ways; eager filled, compiled hollow below it; bars are quartiles."""
    for way, launch, ratio, low, high in rows[["variant", "launch", *RATIOS]].itertuples(index=False):
        look = LOOKS[MEASURED_AS.get(way, "other")]
        y = list(WAYS).index(way) + (-0.15 if launch == "eager" else 0.15)
        axes.errorbar(
            ratio,
            y,
            xerr=[[ratio - low], [high - ratio]],
            color=look.colour,
            marker=look.marker,
            markerfacecolor=look.colour if launch == "eager" else palette.WHITE,
            markersize=6,
            capsize=2,
            linewidth=1.2,
        )
    axes.axvline(1, color=LOOKS["dense"].colour, linewidth=1)
    if len(flops := rows.groupby(rows["variant"] == "dense")["flops"].first()) == 2:
        axes.axvline(flops[False] / flops[True], color=palette.BLACK, linestyle="--", linewidth=1.2)
    axes.set(xscale="log")
    axes.xaxis.set(major_locator=FixedLocator(TICKS), minor_locator=NullLocator(), major_formatter="{x:g}")
    axes.tick_params(labelbottom=True)
