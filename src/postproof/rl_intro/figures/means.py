"""Curves of means over seeds, as charts of this post draw them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts.palette import Look

BAND = 1.96  # standard errors: 95 % of such means are within


def draw(axes: Axes, runs: pd.DataFrame, x: str, y: str, look: Look, label: str) -> tuple[float, float, str, str]:
    """The mean over the seeds and its band; gives the end of the curve for plotting.name_ends."""
    over_seeds = runs.groupby(x)[y]
    mean, error = over_seeds.mean(), over_seeds.std(ddof=1).fillna(0) / np.sqrt(over_seeds.size())
    axes.plot(mean.index, mean, color=look.colour, linewidth=1.6)
    low, high = mean - BAND * error, mean + BAND * error
    axes.fill_between(mean.index, np.maximum(low, runs[y].min()), high, color=look.colour, alpha=0.2, linewidth=0)
    return mean.index[-1], mean.iloc[-1], label, look.colour


def seeds(table: pd.DataFrame) -> str:
    number = table["seed"].nunique()
    return f"{number} seed{'s' * (number > 1)}"
