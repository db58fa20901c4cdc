"""Measured: seconds of the race split into set-up, training steps and evaluations, and the ratio of MoE to dense with
and without evaluations.

A row of panels per machine. Warm runs give the medians; the cold run, which comes first in its process, is marked.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from postproof.charts import on_machines, palette, plotting
from postproof.charts.on_machines import Measured
from postproof.mixtral.looks import LOOKS, MEASURED_AS

PARTS = {  # opacity of the variant's colour, and hatching, so that parts differ in grey too
    "setup_seconds": (0.0, "||||"),
    "training_seconds": (1.0, ""),
    "evaluation_seconds": (0.35, "////"),
}
COUNTS = ["steps", "evaluations", "val_batches", "flops"]
NUMBERS = ["run", *COUNTS, "wall_seconds", *PARTS]
MEASURED = ("race_wall",)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, (), MEASURED)


def main(args) -> None:
    machines = on_machines.read_all(args.measured, ["variant"], NUMBERS)
    for machine in machines:
        check(machine)
    plotting.style()
    figure, grid = plt.subplots(
        len(machines),
        2,
        figsize=(11, 1.5 + 2.4 * len(machines)),
        squeeze=False,
        gridspec_kw={"width_ratios": [3, 2]},
    )
    for machine, (left, right) in zip(machines, grid):
        draw_seconds(left, machine.table)
        draw_ratios(right, machine.table)
        left.set_title(machine.heading(80), fontsize=9)
        right.set_title("ratio to dense, medians of warm runs", fontsize=9)
    first = machines[0].table.iloc[0]
    figure.suptitle(
        "Measured wall time of the race at equal training FLOPs, "
        f"with {first['evaluations']:.0f} evaluations of {first['val_batches']:.0f} batches",
        fontsize=11,
    )
    legend(figure)
    plotting.save(figure, args.out_svg, args.out_png)


def check(machine: Measured) -> None:
    """Raises ArtefactError unless parts fit into the whole, runs are alike, and every variant has a warm run."""
    table = machine.table
    by_variant = table.groupby("variant")
    parts_seconds = table[list(PARTS)].sum(axis=1)
    machine.must_hold(
        {
            "variants are known, and dense is among them": {"dense"} <= set(table["variant"]) <= set(MEASURED_AS),
            # The stored seconds have nine digits.
            "setup, training and evaluation fit into the wall time": (
                parts_seconds < 1.000001 * table["wall_seconds"]
            ).all(),
            "all runs of a variant do the same steps and evaluations": (by_variant[COUNTS].nunique() == 1).all(
                axis=None
            ),
            "runs count from 0, the cold one": not table.duplicated(["variant", "run"]).any(),
            "every variant has a warm run": (by_variant["run"].max() >= 1).all(),
        }
    )


def present(table: pd.DataFrame) -> list[str]:
    return [name for name in MEASURED_AS if name in set(table["variant"])]


def warm_medians(table: pd.DataFrame) -> pd.DataFrame:
    """By variant: median seconds of each part, of the whole (wall_seconds) and of the whole without evaluations."""
    warm = table[table["run"] > 0].assign(
        without_evaluation_seconds=lambda rows: rows["wall_seconds"] - rows["evaluation_seconds"]
    )
    return warm.groupby("variant")[["wall_seconds", "without_evaluation_seconds", *PARTS]].median()


def filling(colour: str, opacity: float, hatch: str) -> dict:
    return {"facecolor": to_rgba(colour, opacity), "edgecolor": colour, "hatch": hatch, "linewidth": 0.8}


def draw_seconds(axes: Axes, table: pd.DataFrame) -> None:
    medians = warm_medians(table)
    names = present(table)
    for y, name in enumerate(names):
        look, rows, left = LOOKS[MEASURED_AS[name]], table[table["variant"] == name], 0.0
        for part, fill in PARTS.items():
            axes.barh(y, medians.loc[name, part], left=left, height=0.6, **filling(look.colour, *fill))
            left += medians.loc[name, part]
        cold, warm = rows.loc[rows["run"] == 0, "wall_seconds"], rows.loc[rows["run"] > 0, "wall_seconds"]
        axes.plot(warm, [y] * len(warm), color=palette.BLACK, marker="|", markersize=9, linestyle="none")
        axes.plot(cold, [y] * len(cold), color=palette.BLACK, marker="x", markersize=6, linestyle="none")
    steps = table.groupby("variant")["steps"].first()
    labels = [f"{LOOKS[MEASURED_AS[name]].long}\n{steps[name]:.0f} steps" for name in names]
    axes.set_yticks(range(len(names)), labels)
    axes.set(xlabel="wall seconds of one race", xlim=(0, None))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


def draw_ratios(axes: Axes, table: pd.DataFrame) -> None:
    """Per way of MoE the ratio of whole races (filled), and without their evaluations (hollow, below it)."""
    medians = warm_medians(table)
    ratios = medians / medians.loc["dense"]
    names = [name for name in present(table) if name != "dense"]
    for y, name in enumerate(names):
        look = LOOKS[MEASURED_AS[name]]
        for column, face, at in [
            ("wall_seconds", look.colour, y - 0.17),
            ("without_evaluation_seconds", palette.WHITE, y + 0.17),
        ]:
            ratio = ratios.loc[name, column]
            axes.plot(ratio, at, color=look.colour, marker=look.marker, markerfacecolor=face, markersize=8)
            text = axes.annotate(
                f"{ratio:.2f}", (ratio, at), (9, 0), textcoords="offset points", va="center", fontsize=9
            )
            text.set_bbox({"facecolor": palette.WHITE, "edgecolor": "none", "pad": 1})
    axes.axvline(1, color=LOOKS["dense"].colour, linewidth=1, zorder=1)
    axes.set_yticks(range(len(names)), [LOOKS[MEASURED_AS[name]].short for name in names])
    longest = ratios[["wall_seconds", "without_evaluation_seconds"]].max(axis=None)
    axes.set(xlabel="times as long as dense (line: 1)", xlim=(0, 1.25 * max(1, longest)), ylim=(len(names) - 0.5, -0.5))
    axes.grid(axis="y", visible=False)


def legend(figure) -> None:
    grey = palette.DARK_GREY
    bars = [Patch(label=part.removesuffix("_seconds"), **filling(grey, *fill)) for part, fill in PARTS.items()]
    point = {"color": grey, "linestyle": "none"}
    marks = [
        Line2D([], [], marker="|", markersize=9, label="single warm runs", **point),
        Line2D([], [], marker="x", markersize=6, label="cold run", **point),
        Line2D([], [], marker="s", label="ratio of whole races", **point),
        Line2D([], [], marker="s", markerfacecolor=palette.WHITE, label="ratio without evaluations", **point),
    ]
    figure.legend(handles=[*bars, *marks], loc="outside lower center", ncols=4, fontsize=9)
