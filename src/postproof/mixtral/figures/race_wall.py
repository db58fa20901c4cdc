"""Seconds of one race at equal training FLOPs, of the post's author and measured here: training steps and evaluations,
and the ratio of MoE to dense with and without evaluations. Medians of the warm runs of each machine; set-up is in
no bar. The post gives the time of a whole run only.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.ticker import FixedLocator, NullFormatter

from postproof.charts import on_machines, palette, plotting
from postproof.charts.on_machines import Measured
from postproof.charts.palette import POSTED
from postproof.core import tables
from postproof.mixtral.figures import rerun_marks
from postproof.mixtral.figures.rerun_marks import fixed
from postproof.mixtral.looks import LOOKS, MEASURED_AS

PARTS = {  # opacity of the variant's colour, and hatching, so that parts differ in grey too
    "training_seconds": (1.0, ""),
    "evaluation_seconds": (0.35, "////"),
}
SECONDS = ["setup_seconds", *PARTS]
COUNTS = ["steps", "evaluations", "val_batches", "flops"]
NUMBERS = ["run", *COUNTS, "wall_seconds", *SECONDS]
TABLES = ("mixtral/posted_race",)
MEASURED = ("race_wall",)
HEADING_CHARACTERS = 90
RATIO_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES, MEASURED)


def main(args) -> None:
    posted = tables.read(args.tables[0], TABLES[0]).groupby("model")[["step", "wall_seconds"]].last()
    machines = on_machines.read_all(args.measured, ["variant"], NUMBERS)
    for machine in machines:
        check(machine)
    groups = [len(posted), *(len(present(machine.table)) for machine in machines)]
    plotting.style()
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(plotting.COLUMN, 2.5 + 0.29 * (sum(groups) + len(groups))), sharey=True, width_ratios=[3, 2]
    )
    names: dict[float, str] = {}
    y = heading(left, 0, "the post (its author's card)")
    for model, run in posted.iterrows():
        rerun_marks.posted(left, [run["wall_seconds"]], [y])
        beside(left, run["wall_seconds"], y, f"{fixed(run['wall_seconds'], 1)} s", POSTED.colour)
        if model != "Dense":
            ratio = run["wall_seconds"] / posted.loc["Dense", "wall_seconds"]
            rerun_marks.posted(right, [ratio], [y])
            beside(right, ratio, y, fixed(ratio, 1), POSTED.colour)
        names[y] = f"{model}, {run['step']:,.0f} steps"
        y += 1
    for machine in machines:
        y = heading(left, y, machine.heading(HEADING_CHARACTERS).replace("\n", ". "))
        names |= draw_machine(left, right, machine.table, y)
        y += len(present(machine.table))
    left.set_yticks(list(names), list(names.values()), size=9)
    left.set(xlabel="wall seconds of a race", ylim=(y - 0.4, -0.6))
    left.set_xlim(0, 1.15 * left.get_xlim()[1])
    right.set(xscale="log", xlabel="times as long (log)")
    low, high = right.get_xlim()
    right.set_xlim(min(low, 0.5) / 1.2, max(high, 2) * 2)
    right.xaxis.set(major_locator=FixedLocator(RATIO_TICKS), major_formatter="{x:g}", minor_formatter=NullFormatter())
    right.axvline(1, color=LOOKS["dense"].colour, linewidth=1, zorder=1)
    right.tick_params(axis="y", length=0)
    for axes in (left, right):
        axes.grid(axis="y", visible=False)
        axes.set_axisbelow(True)
    plotting.headed(
        figure,
        says(posted, [warm_medians(machine.table) for machine in machines]),
        what(machines),
        plotting.source((*TABLES, *(f"mixtral/measured_{name}" for name in MEASURED)), "Post: the author's runs."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(posted: pd.DataFrame, medians: list[pd.DataFrame]) -> str:
    """How much longer the post's MoE took at equal FLOPs, and over which range it is on the machines measured."""
    dense, moe = (posted.loc[model, "wall_seconds"] for model in ("Dense", "MoE"))
    seen = f"At equal FLOPs the post's MoE took {fixed(moe / dense, 1)} times as long as its dense model"
    if not medians:
        return f"{seen}; no run is measured here"
    whole, without = (
        spread(pd.concat([each[column].drop("dense") / each.loc["dense", column] for each in medians]))
        for column in ("wall_seconds", "without_evaluation_seconds")
    )
    if whole is None:
        return f"{seen}; no MoE is measured here"
    return f"{seen}; measured here {whole} times, without the evaluations {without}"


def spread(ratios: pd.Series) -> str | None:
    """From the smallest to the largest, as a text; nothing of none."""
    if ratios.empty:
        return None
    low, high = fixed(ratios.min(), 2), fixed(ratios.max(), 2)
    return low if low == high else f"{low} to {high}"


def what(machines: list[Measured]) -> str:
    text = "The post: seconds up to its last checkpoint, with its evaluations."
    if machines:
        first = machines[0].table.iloc[0]
        text += (
            f" Measured: medians of warm runs with {first['evaluations']:.0f} evaluations of "
            f"{first['val_batches']:.0f} batches; solid is training, hatched evaluation; strokes: single runs. "
            "Right: filled whole races, hollow without evaluations."
        )
    return text


def check(machine: Measured) -> None:
    """Raises ArtefactError unless parts fit into the whole, runs are alike, and every variant has a warm run."""
    table = machine.table
    by_variant = table.groupby("variant")
    parts_seconds = table[SECONDS].sum(axis=1)
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
    return warm.groupby("variant")[["wall_seconds", "without_evaluation_seconds", *SECONDS]].median()


def filling(colour: str, opacity: float, hatch: str) -> dict:
    return {"facecolor": to_rgba(colour, opacity), "edgecolor": colour, "hatch": hatch, "linewidth": 0.8}


def heading(axes: Axes, y: float, text: str) -> float:
    """Whose rows follow, over them; returns where the first of them is."""
    axes.annotate(text, (0, y), (4, 0), textcoords="offset points", va="center", size=plotting.SMALL_POINTS,
                  color=palette.DARK_GREY, annotation_clip=False)  # fmt: skip
    return y + 1


def beside(axes: Axes, x: float, y: float, text: str, colour: str = palette.BLACK) -> None:
    axes.annotate(text, (x, y), (8, 0), textcoords="offset points", va="center", color=colour,
                  size=plotting.SMALL_POINTS, annotation_clip=False)  # fmt: skip


def draw_machine(left: Axes, right: Axes, table: pd.DataFrame, start: float) -> dict[float, str]:
    """A row per variant: seconds by part, ratios of whole races (filled) and without evaluations (hollow)."""
    medians = warm_medians(table)
    ratios = medians / medians.loc["dense"]
    names = {}
    for y, name in enumerate(present(table), start):
        look, rows, at = LOOKS[MEASURED_AS[name]], table[table["variant"] == name], 0.0
        for part, fill in PARTS.items():
            left.barh(y, medians.loc[name, part], left=at, height=0.6, **filling(look.colour, *fill))
            at += medians.loc[name, part]
        warm = rows.loc[rows["run"] > 0, "wall_seconds"]
        left.plot(warm, [y] * len(warm), "|", color=palette.BLACK, markersize=8)
        beside(left, warm.max(), y, f"{fixed(medians.loc[name, 'wall_seconds'], 1)} s")
        if name != "dense":
            both = [(ratios.loc[name, "wall_seconds"], look.colour),
                    (ratios.loc[name, "without_evaluation_seconds"], palette.WHITE)]  # fmt: skip
            for ratio, face in both:
                right.plot(ratio, y, look.marker, color=look.colour, markerfacecolor=face, markersize=7)
            beside(right, max(ratio for ratio, _ in both), y, f"{fixed(both[0][0], 2)} / {fixed(both[1][0], 2)}")
        names[y] = f"{look.long.removeprefix('MoE as a ')}, {rows['steps'].iloc[0]:,.0f} steps"
    return names
