"""Figures that are the same bytes on every machine: one style, fixed ids and fonts, no date, no versions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from postproof.charts import palette
from postproof.core import files
from postproof.core.tables import path_of

COLUMN = 7.2  # inches, a text column of 720 px: no type under 9 px in it means 6.5 points at least
TITLE_POINTS, SMALL_POINTS = 11.5, 8.5
LINE = 1.25  # of the type's size
MARGIN, GAP = 0.12, 0.03  # inches: around, and between the sentence and the grey line
SLACK = 0.98  # type on a screen is a little wider than its outlines

AS_TYPED = {"parse_math": False}  # of matplotlib's texts, for words of data: a dollar sign begins no formula

STYLE = {
    "svg.hashsalt": "postproof",  # ids in the SVG come from this instead of a random number
    "svg.fonttype": "path",  # text as outlines: no reader's font changes the picture
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 150,
    "figure.constrained_layout.use": True,
    "path.simplify": False,
}


def add_arguments(parser, tables: Sequence[str], measured: Sequence[str] = ()) -> None:
    """The arguments of every chart: the tables that it names, machines' tables of its measurements, and outputs."""
    parser.add_argument("--tables", type=Path, nargs=len(tables) or "*", required=bool(tables), default=[],
                        metavar=tuple(tables) or "TABLE", help="tidy CSVs")  # fmt: skip
    parser.add_argument("--measured", type=Path, nargs="*" if tables else "+", required=not tables, default=[],
                        help=f"CSV of each machine, its JSON beside it: {', '.join(measured) or 'none'}")  # fmt: skip
    parser.add_argument("--out-svg", type=Path, required=True)
    parser.add_argument("--out-png", type=Path, required=True)


def style() -> None:
    """Starts from matplotlib's defaults, so that no matplotlibrc of the user gets in."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(STYLE)


def headed(figure: Figure, says: str, what: str, foot: str) -> None:
    """Puts the sentence that is seen above the panels, in a grey line below it what is drawn, of how many, in which
    units, and at the foot where it comes from. Call it before `save`, after all else.

    `says` is computed from the tables: a sentence that is no longer true when they change must change with them.
    """
    width, height = figure.get_size_inches()
    parts = [(says, TITLE_POINTS, "bold", palette.BLACK), (what, SMALL_POINTS, "normal", palette.DARK_GREY)]
    lines = [(line, *look) for text, *look in parts for line in wrapped(text, look[0], look[1], width - 2 * MARGIN)]
    feet = wrapped(foot, SMALL_POINTS, "normal", width - 2 * MARGIN)
    down, above = MARGIN, TITLE_POINTS
    for line, points, weight, colour in lines:
        down += points * LINE / 72 + (GAP if points != above else 0)
        above = points
        figure.text(MARGIN / width, 1 - down / height, line, size=points, weight=weight, color=colour, va="baseline",
                    **AS_TYPED)  # fmt: skip
    up = MARGIN / 2
    for line in reversed(feet):
        figure.text(MARGIN / width, (up + SMALL_POINTS * 0.25 / 72) / height, line, size=SMALL_POINTS,
                    color=palette.DARK_GREY, va="baseline", **AS_TYPED)  # fmt: skip
        up += SMALL_POINTS * LINE / 72
    top, bottom = down + 1.2 * MARGIN, up + MARGIN / 2
    figure.get_layout_engine().set(rect=(0, bottom / height, 1, 1 - (top + bottom) / height))
    figure.headed = says, f"{what} {foot}"


def wrapped(text: str, points: float, weight: str, inches: float) -> list[str]:
    """The text in lines that are no wider, by the pinned font."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_inches(longer, points, weight) > SLACK * inches:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def text_inches(text: str, points: float, weight: str = "normal") -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=STYLE["font.family"], weight=weight, size=points)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72  # of outlines, not of pixels


def percent(share: float, decimals: int = 0) -> str:
    """17.1 % for 0.171."""
    return f"{100 * share:.{decimals}f} %"


def source(names: Sequence[str], of: str) -> str:
    """The foot of a chart: the tables that it is drawn from, and of which runs, model and text they are."""
    return f"{of} Source: {', '.join(path_of(name) for name in names)}."


def name_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Names curves at their ends, in place of a legend: (x, y, text, colour), moved apart where they would touch."""
    figure = axes.figure
    figure.draw_without_rendering()
    least = SMALL_POINTS * 1.25 / 72 * figure.dpi
    placed = sorted(((axes.transData.transform((x, y))[1], x, y, text, colour) for x, y, text, colour in ends))
    heights: list[float] = []
    for height, *_ in placed:
        heights.append(max(height, heights[-1] + least) if heights else height)
    excess = [got - wanted for got, (wanted, *_) in zip(heights, placed)]
    shift = sum(excess) / len(excess) if excess else 0.0  # so that the group stays centred on its ends
    for got, (wanted, x, y, text, colour) in zip(heights, placed):
        axes.annotate(text, (x, y), xytext=(6, (got - shift - wanted) * 72 / figure.dpi), textcoords="offset points",
                      color=colour, size=SMALL_POINTS, va="center", annotation_clip=False, **AS_TYPED)  # fmt: skip


def save(figure: Figure, svg: Path, png: Path) -> None:
    """Writes both files, without the metadata that differ from day to day and version to version.

    The SVG of a chart with a heading says what it is to who cannot see it: role, title and description.
    """
    says, description = getattr(figure, "headed", (None, None))
    with files.atomic(svg) as temporary:
        figure.savefig(temporary, metadata={"Date": None, "Creator": None} | ({"Title": says} if says else {}))
        if says is not None:
            text = temporary.read_text(encoding="utf-8").replace("<svg ", '<svg role="img" ', 1)
            text = text.replace("</title>", f"</title>\n <desc>{escape(description)}</desc>", 1)
            temporary.write_text(text, encoding="utf-8", newline="\n")
    with files.atomic(png) as temporary:
        figure.savefig(temporary, metadata={"Software": None})
    plt.close(figure)
