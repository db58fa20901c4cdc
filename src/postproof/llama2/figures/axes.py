"""Axes and marks that charts of this post share."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from postproof.charts import palette
from postproof.llama2 import looks


def short(tokens: float) -> str:
    """`4K` for 4,096: how contexts are spoken of."""
    return f"{tokens / 1024:g}K" if tokens >= 1024 and tokens % 512 == 0 else f"{tokens:,g}"


def label_tokens(axes: Axes, sequences, *, room: float = 1.0) -> None:
    """Doublings equally far apart, named as they are used: 512, 4K. `room` to the right, for text, in times."""
    doublings = 2 ** np.arange(np.ceil(np.log2(min(sequences))), np.floor(np.log2(max(sequences))) + 1)
    axes.set_xscale("log", base=2)
    axes.set_xticks(doublings, [short(n) for n in doublings])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(min(sequences) / 1.15, max(sequences) * 1.15 * room)


def count_axis(axes: Axes, most: float) -> None:
    """Counts on a logarithmic axis that has a place for 0."""
    axes.set_yscale("symlog", linthresh=1, linscale=0.35)
    powers = 10 ** np.arange(np.floor(np.log10(most)) + 1)
    axes.set_yticks([0, *powers], ["0", *(f"{power:,.0f}" for power in powers)])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(-0.15, most * 2)


def plain_log(axis) -> None:
    """Powers of ten as plain numbers."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def of_reading(reading: str) -> dict:
    """How the line of any model shows what a "GB" is: GB dashed and hollow, GiB solid and filled."""
    hollow = {"markerfacecolor": palette.WHITE} if reading == "GB" else {}
    return {"linestyle": looks.READINGS[reading].line} | hollow
