"""The posted run and the same run made again, on top of each other: what charts of both experiments share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import plotting, posted_marks
from postproof.mixtral.looks import LOOKS

# What the post shows, over all else.
posted, posted_handle = posted_marks.mark, posted_marks.handle

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def draw(axes: Axes, reruns: pd.DataFrame, x: str, y: str, more: Sequence[tuple] = ()) -> None:
    """Per arm the rerun as a line with its name at its end, the post's checkpoints as crosses on it. `x` may be
    `step`. Call it after all else that has a place in the axes: names, `more` of them too, are moved apart by where
    curves end.
    """
    ends = list(more)
    for arm, rows in reruns.groupby("arm", sort=False):
        look = LOOKS[arm]
        at = {source: rows["step"] if x == "step" else rows[f"{x}_{source}"] for source in ("posted", "rerun")}
        axes.plot(at["rerun"], rows[f"{y}_rerun"], color=look.colour, linewidth=1.8)
        posted(axes, at["posted"], rows[f"{y}_posted"])
        ends.append((at["rerun"].max(), rows[f"{y}_rerun"].iloc[-1], look.long, look.colour))
    plotting.name_ends(axes, ends)


def spread(axes: Axes, runs: pd.DataFrame, x: str, y: str) -> dict[str, pd.Series]:
    """Per arm every seed as a thin line, and a band of one standard deviation of single runs; the means."""
    means = {}
    for arm, of_arm in runs.groupby("arm", sort=True):
        look = LOOKS[arm]
        for _, run in of_arm.groupby("seed"):
            axes.plot(run[x], run[y], color=look.colour, linewidth=0.7, alpha=0.45)
        at_x = of_arm.groupby(x)[y]
        means[arm], deviation = at_x.mean(), at_x.std(ddof=1).fillna(0)
        low, high = means[arm] - deviation, means[arm] + deviation
        axes.fill_between(low.index, low, high, color=look.colour, alpha=0.15, linewidth=0)
    return means


def in_powers(axes: Axes, label: str, largest: float) -> None:
    """The x axis in thousands, millions ... of its unit, which the label states: no offset stands beside the axis."""
    exponent = max(0, 3 * math.floor(math.log10(largest) / 3))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 10**exponent:,g}")
    unit = f" (10{str(exponent).translate(SUPERSCRIPTS)})" if exponent else ""
    axes.set_xlabel(f"{label}{unit}")


def fixed(value: float, places: int) -> str:
    """With as many decimals, and a minus sign that is one."""
    return f"{value:,.{places}f}".replace("-", "−")


def of_seeds(number: int) -> str:
    return f"{number} seeds" if number > 1 else "one seed"


def agreement(reruns: pd.DataFrame, column: str) -> str:
    """How near the run made again comes to the post: at how many checkpoints, and within what share."""
    worst = reruns[f"{column}_difference"].abs().max()
    return f"all {len(reruns)} checkpoints come within {plotting.percent(worst, 2 if worst >= 1e-4 else 5)}"
