"""Measured: time of a call that may fail, over the share of calls that fail; and from which share on a Result costs
less than raising and catching, over the functions between and by version of CPython.

Left: the newest version measured, a number of functions in the middle, medians with quartiles. Right: a Result that the
caller alone looks into, and one that each function between looks into; bars are the least and the most over processes,
crosses above stand where it never costs less. A row per machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import on_machines, plotting
from postproof.charts.on_machines import Measured
from postproof.charts.palette import Look
from postproof.errors.looks import VERSIONS, WAYS

MEASURED = ("exception_cost",)
LABELS = ["python", "way", "crossing_percent", "crossing_low_percent", "crossing_high_percent"]
NUMBERS = ["depth", "failure_percent", "median_seconds", "p25_seconds", "p75_seconds"]
CROSSING = {"result_passed": "Result handed on", "result_checked": "Result looked into by all"}
NEVER, APART = 107, 6  # where crosses stand, in percent: one row for each version that needs them


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, (), MEASURED)


def main(args) -> None:
    machines = [read(machine) for machine in on_machines.read_all(args.measured, LABELS, NUMBERS)]
    plotting.style()
    size = (plotting.COLUMN, 1.9 + 2.5 * len(machines))
    figure, grid = plt.subplots(len(machines), 3, figsize=size, squeeze=False)
    versions = looks_of(machines)
    for machine, row in zip(machines, grid):
        draw_cost(row[0], machine)
        for axes, way in zip(row[1:], CROSSING):
            draw_crossing(axes, machine.table, way, versions)
        row[2].set_ylabel("")
    plotting.headed(
        figure,
        says(machines[0].table),
        f"Left: time of a call in CPython {newest(machines[0].table)} with {middle(machines[0].table)} functions from "
        "the failure to the caller. Right: failing calls from which on a Result costs less than raising and catching, "
        "by version; bars: over processes; crosses: at no share. Seconds of the processor, medians; quartiles shaded.",
        f"Measured: {'; '.join(machine.heading(200) for machine in machines)}. Source: data/measured/{MEASURED[0]}.",
    )
    plotting.save(figure, args.out_svg, args.out_png)


def read(machine: Measured) -> Measured:
    """Raises ArtefactError when quartiles or shares are not in order."""
    table = machine.table
    machine.must_hold(
        {
            "quartiles are in order": (table["p25_seconds"] <= table["median_seconds"]).all()
            and (table["median_seconds"] <= table["p75_seconds"]).all(),
            "shares are percent": table["failure_percent"].between(0, 100).all(),
        }
    )
    return machine


def in_order(versions: pd.Series) -> list[str]:
    """The oldest first: 3.9 before 3.10."""
    return sorted(versions.astype(str).unique(), key=lambda version: [int(part) for part in version.split(".")])


def minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def looks_of(machines: Sequence[Measured]) -> dict[str, Look]:
    """The look of each minor version on any machine; of more than there are looks for, the newest ones'."""
    known = in_order(pd.concat([machine.table["python"] for machine in machines]))
    minors = list(dict.fromkeys(map(minor, known)))[-len(VERSIONS) :]
    return dict(zip(minors, list(VERSIONS.values())[-len(minors) :]))


def newest(table: pd.DataFrame) -> str:
    return in_order(table["python"])[-1]


def middle(table: pd.DataFrame) -> int:
    """The number of functions that the left panel has."""
    depths = sorted(table["depth"].unique())
    return int(depths[len(depths) // 2])


def crossing(table: pd.DataFrame, way: str) -> float:
    """Of the newest version, at the number of functions in the middle; NaN where a Result never costs less."""
    rows = table[(table["python"] == newest(table)) & (table["depth"] == middle(table)) & (table["way"] == way)]
    return float(pd.to_numeric(rows["crossing_percent"]).iloc[0])


def says(table: pd.DataFrame) -> str:
    """From which share of failures on each kind of Result costs less than raising."""

    def share(way: str) -> str:
        got = crossing(table, way)
        return "at no share of failing calls" if pd.isna(got) else f"when more than {got:.0f} % of calls fail"

    return (
        f"Looked into by each of {middle(table)} functions, a Result costs less than raising "
        f"{share('result_checked')}; handed on, {share('result_passed')}"
    )


def draw_cost(axes: Axes, machine: Measured) -> None:
    table = machine.table
    drawn = table[(table["python"] == newest(table)) & (table["depth"] == middle(table))]
    for number, (way, look) in enumerate(WAYS.items()):
        rows = drawn[drawn["way"] == way].sort_values("failure_percent")
        x = rows["failure_percent"]
        axes.fill_between(x, 1e6 * rows["p25_seconds"], 1e6 * rows["p75_seconds"], color=look.colour, alpha=0.2, lw=0)
        axes.plot(x, 1e6 * rows["median_seconds"], color=look.colour, marker=look.marker, linestyle=look.line, ms=3.5)
        axes.annotate(look.short, (0.03, 0.98 - 0.075 * number), xycoords="axes fraction", va="top", color=look.colour,
                      size=plotting.SMALL_POINTS)  # fmt: skip
    axes.set(xlabel="failing calls (%)", ylabel="microseconds of a call")
    axes.set_ylim(0, 1.45 * axes.get_ylim()[1])  # room for the names
    axes.set_title(f"CPython {newest(table)}", fontsize=plotting.SMALL_POINTS + 0.5, loc="left")


def draw_crossing(axes: Axes, table: pd.DataFrame, way: str, looks: Mapping[str, Look]) -> None:
    height = NEVER
    drawn = [version for version in in_order(table["python"]) if minor(version) in looks]
    for number, version in enumerate(drawn):
        look = looks[minor(version)]
        rows = table[(table["python"] == version) & (table["way"] == way)].drop_duplicates("depth").sort_values("depth")
        share, low, high = (pd.to_numeric(rows[f"crossing_{end}percent"]) for end in ("", "low_", "high_"))
        bars = [(share - low).clip(lower=0), (high.fillna(100) - share).clip(lower=0)]
        style = {"color": look.colour, "marker": look.marker, "markersize": 3.5, "linewidth": 1.3, "elinewidth": 0.8}
        axes.errorbar(rows["depth"], share, yerr=bars, **style)
        if share.isna().any():
            never = rows["depth"][share.isna()]
            axes.plot(never, [height] * len(never), color=look.colour, marker="x", linestyle="", markersize=4)
            height += APART
        if way == next(iter(CROSSING)):
            axes.annotate(version, (0.98, 0.84 - 0.075 * number), xycoords="axes fraction", va="top", ha="right",
                          color=look.colour, size=plotting.SMALL_POINTS)  # fmt: skip
    depths = sorted(table["depth"].unique())
    axes.set(xscale="log", xlabel="functions between (log)", ylabel="cheaper from (% failing)", ylim=(0, 118))
    axes.set_xticks(depths, [str(depth) for depth in depths])
    axes.set_yticks(range(0, 101, 20))
    axes.minorticks_off()
    axes.set_title(CROSSING[way], fontsize=plotting.SMALL_POINTS + 0.5, loc="left")
