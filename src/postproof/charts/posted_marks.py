"""What the post itself shows: crosses in the one look that nothing else has, what stands beside one, and its name."""

from __future__ import annotations

from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

from postproof.charts import palette, plotting
from postproof.charts.palette import POSTED

CROSS = {"color": POSTED.colour, "marker": POSTED.marker, "markersize": 7, "markeredgewidth": 1.6, "linestyle": "none"}


def mark(axes: Axes, x, y, *, on_colours: bool = False, **options) -> None:
    """Crosses over all else; with a white rim on a ground of many colours."""
    rim = {"path_effects": _rim()} if on_colours else {}
    axes.plot(x, y, zorder=5, **(CROSS | rim | options))


def beside(axes: Axes, text: str, x: float, y: float, offset: tuple[float, float], *, on_colours: bool = False,
           **options) -> Annotation:  # fmt: skip
    """What the post says, in its colour, so many points from a cross."""
    rim = {"path_effects": _rim()} if on_colours else {}
    look = {"size": plotting.SMALL_POINTS, "color": POSTED.colour, "va": "center", "zorder": 6}
    return axes.annotate(text, (x, y), offset, textcoords="offset points", **(look | rim | options))


def handle(label: str = POSTED.long) -> Line2D:
    return Line2D([], [], label=label, **CROSS)


def _rim() -> list:
    return [patheffects.withStroke(linewidth=3.4, foreground=palette.WHITE)]
