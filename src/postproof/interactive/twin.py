"""What the interactive twin of a chart shows, and from which cells of which tables."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator

import pandas as pd

from postproof.charts.palette import POSTED, Look
from postproof.core import files

CROWD = 60  # marks of a series that would touch each other at their usual size
NAME, PANEL, POSTED_HERE, TOLD = "series", "panel", "posted", "told"


@dataclasses.dataclass(frozen=True)
class Axis:
    """`title` names quantity and unit. `kind`: a scale of Vega-Lite, or `ordinal` for names and numbers of things.
    `ticks`: where there are some, in place of round numbers.
    """

    title: str
    kind: str = "linear"
    reverse: bool = False
    ticks: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Series:
    """Rows of one table that are drawn alike, as they stand in it, with all its columns: by those claims find a cell.

    `value` is the column that claims speak of: the one of `x`, `y` and `shade` (of a map's cells) that shows it.
    `beside`: the column with what the post has in the same place. `told`: columns that hover and table show as well, by
    title.
    """

    name: str
    look: Look
    table: str
    rows: pd.DataFrame
    x: str
    y: str
    shade: str = ""
    value: str = ""
    beside: str = ""
    low: str = ""
    high: str = ""
    run: str = ""  # the column of seeds, where there are several runs
    told: dict[str, str] = dataclasses.field(default_factory=dict)
    unit: float = 1  # what the value is divided by, to be in the unit of its axis
    joined: bool = True  # by a line, where the look has one
    thin: bool = False
    hollow: bool = False

    @property
    def column(self) -> str:
        return self.value or self.shade or self.y

    @property
    def line(self) -> str:
        """The style of its line, none if it has none."""
        return "" if self.is_posted or self.shade or not self.joined else self.look.line

    @property
    def is_posted(self) -> bool:
        return self.look.stem == POSTED.stem

    @property
    def size(self) -> int:
        """Of its marks, in px²: small where they are many or behind others."""
        return 90 if self.is_posted else 12 if self.thin or len(self.rows) > CROWD else 40

    def shown(self, column: str) -> pd.Series:
        """The column as it is drawn."""
        scaled = {self.column, self.beside, self.low, self.high} - {""}
        return self.rows[column] / self.unit if column in scaled and self.unit != 1 else self.rows[column]


@dataclasses.dataclass(frozen=True)
class Panel:
    """`shade` is the axis of a map's cells, with the name and the range of its colours in matplotlib."""

    x: Axis
    y: Axis
    series: tuple[Series, ...]
    title: str = ""
    shade: Axis | None = None
    cmap: str = ""
    range: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class Twin:
    """`says` is the sentence of the static chart."""

    says: str
    panels: tuple[Panel, ...]

    @property
    def series(self) -> list[Series]:
        return [series for panel in self.panels for series in panel.series]

    def looks(self) -> dict[str, Series]:
        """The first series of each name: what stands in several panels is switched and drawn as one."""
        found: dict[str, Series] = {}
        for series in self.series:
            found.setdefault(series.name, series)
        return found

    def fields(self) -> dict[str, str]:
        """The columns of the table of values: what each is called in the specification, by its title."""
        titles = [axis.title for panel in self.panels for axis in (panel.x, panel.y, panel.shade) if axis]
        bounds = ["from", "to"] if any(series.low for series in self.series) else []
        more = [title for series in self.series for title in series.told.values()]
        runs = ["seed"] if any(series.run for series in self.series) else []
        beside = ["the post here"] if any(series.beside for series in self.series) else []
        numbered = dict.fromkeys([*titles, *more, *runs, *bounds, *beside])
        names = {NAME: NAME} | ({PANEL: PANEL} if len(self.panels) > 1 else {})
        return names | {title: f"f{n}" for n, title in enumerate(numbered)} | {"claims": TOLD}


def values(twin: Twin, told: dict[tuple[int, int], str]) -> Iterator[dict[str, str]]:
    """The rows of the table of values, by title, as text. `told`: what claims say of a row, by series and row."""
    places = itertools.count()
    for panel in twin.panels:
        for series in panel.series:
            number = next(places)
            axes = {panel.x.title: series.x, panel.y.title: series.y}
            axes |= {panel.shade.title: series.shade} if panel.shade else {}
            columns = axes | {title: column for column, title in series.told.items()}
            columns |= {"seed": series.run, "from": series.low, "to": series.high, "the post here": series.beside}
            shown = {title: series.shown(column).tolist() for title, column in columns.items() if column}
            for row in range(len(series.rows)):
                text = {title: in_digits(cells[row]) for title, cells in shown.items()}
                yield {NAME: series.name, PANEL: panel.title} | text | {"claims": told.get((number, row), "")}


def in_digits(cell) -> str:
    """As tables have it."""
    if isinstance(cell, float) and math.isnan(cell):
        return ""
    return files.FLOAT_FORMAT % cell if isinstance(cell, float) else str(cell)
