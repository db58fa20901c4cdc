"""The posted run and the same run made again, on top of each other: what charts of both experiments share."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from postproof.charts.palette import POSTED
from postproof.mixtral.looks import LOOKS


def draw(axes: Axes, reruns: pd.DataFrame, x: str, y: str) -> None:
    """Per arm the rerun as a line, the post's checkpoints as crosses on it. `x` may be `step`."""
    for arm, rows in reruns.groupby("arm", sort=False):
        look = LOOKS[arm]
        at = {source: rows["step"] if x == "step" else rows[f"{x}_{source}"] for source in ("posted", "rerun")}
        axes.plot(at["rerun"], rows[f"{y}_rerun"], color=look.colour, marker=look.marker, markersize=4, linewidth=1.6,
                  label=f"{look.long}: the post's run again")  # fmt: skip
        axes.plot(at["posted"], rows[f"{y}_posted"], POSTED.marker, color=POSTED.colour, markersize=7, zorder=5,
                  label=POSTED.long if arm == reruns["arm"].iloc[-1] else None)  # fmt: skip


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
