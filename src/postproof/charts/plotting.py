"""Figures that are the same bytes on every machine: one style, fixed ids and fonts, no date, no versions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from postproof.core import files

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


def save(figure: Figure, svg: Path, png: Path) -> None:
    """Writes both files, without the metadata that differ from day to day and version to version."""
    with files.atomic(svg) as temporary:
        figure.savefig(temporary, metadata={"Date": None, "Creator": None})
    with files.atomic(png) as temporary:
        figure.savefig(temporary, metadata={"Software": None})
    plt.close(figure)
