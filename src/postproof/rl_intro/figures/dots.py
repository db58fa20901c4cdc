"""Rows of dots, one a seed, with their mean: how charts of this post show outcomes of things that have no order."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from postproof.charts import palette, plotting
from postproof.rl_intro.looks import LOOKS

HEIGHT = 0.5  # of a row of dots, over which seeds are spread in their order


def row(axes: Axes, y: float, values: pd.Series, colour: str = LOOKS["seed"].colour) -> None:
    heights = y + np.linspace(-HEIGHT / 2, HEIGHT / 2, len(values)) if len(values) > 1 else [y]
    axes.plot(values, heights, LOOKS["seed"].marker, color=colour, alpha=0.6, markersize=5)
    axes.plot(values.mean(), y, LOOKS["mean"].marker, color=LOOKS["mean"].colour, markersize=16, markeredgewidth=2)


def rows(axes: Axes, names: list[str]) -> None:
    """Names of the rows, the first on top."""
    axes.set_yticks(range(len(names)), names, fontsize=plotting.SMALL_POINTS, **plotting.AS_TYPED)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)


def compare(axes: Axes, value: float) -> None:
    axes.axvline(value, color=LOOKS["best"].colour, linestyle=LOOKS["best"].line, linewidth=1, zorder=1)


def number_axis(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))


def share_axis(axes: Axes) -> None:
    axes.set_xlim(-0.03, 1.03)
    axes.set_xticks([0, 0.5, 1], [plotting.percent(share) for share in (0, 0.5, 1)])
    axes.tick_params(axis="x", colors=palette.BLACK)
