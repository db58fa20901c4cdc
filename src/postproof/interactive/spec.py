"""The specification of a twin in Vega-Lite. The data are not in it: the page's table of values is the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from matplotlib.markers import MarkerStyle

from postproof.charts import palette
from postproof.charts.palette import Look
from postproof.interactive.twin import NAME, PANEL, Axis, Panel, Series, Twin

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # names the language; nothing is fetched from it
WIDTH, HEIGHT = 640, 400
MANY = 1e6
# The row that the keyboard is at, the series that are shown, a row's number, the mark around it: bundle.py knows them.
AT, SHOWN, ROW, RING = "at", "shown", "n", "ring"
DASHES = {"-": [1, 0], "--": [6, 4], ":": [2, 3], "-.": [6, 3, 2, 3], "": [1, 0]}
COLOURS = 33  # from which a map's are interpolated
# What is drawn in one of these on a light page is drawn in the other on a dark one. Hues are readable on both.
ON_DARK = {
    palette.BLACK: palette.WHITE,
    palette.DARK_GREY: palette.LIGHT_GREY,
    palette.PALE_GREY: palette.DARK_GREY,
    palette.WHITE: palette.BLACK,
}


def spec(twin: Twin) -> dict[str, Any]:
    """Vega-Lite of a twin, over a data set `values` with the fields of `Twin.fields` and the number of each row."""
    fields, names = twin.fields(), list(twin.looks())
    width = (WIDTH - 30 * (len(twin.panels) - 1)) / len(twin.panels)
    panels = [_panel(panel, twin, fields, round(width)) for panel in twin.panels]
    return {
        "$schema": SCHEMA,
        "description": twin.says,
        "data": {"name": "values"},
        "params": [{"name": SHOWN, "value": names}, {"name": AT, "value": -1}],
        "transform": [{"filter": f"indexof({SHOWN}, datum.{NAME}) >= 0"}],
        "hconcat": panels,
        "config": _config(),
    }


def _config() -> dict[str, Any]:
    grey = palette.DARK_GREY
    sizes = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    labels = {"labelColor": grey, "titleColor": grey} | sizes
    lines = {"domainColor": palette.GREY, "tickColor": palette.GREY, "gridColor": palette.PALE_GREY}
    return {
        "background": None,  # the page's
        "font": "system-ui, sans-serif",
        "view": {"stroke": None},
        "axis": labels | lines,
        "legend": labels,
        "title": {"color": grey, "fontSize": 12, "fontWeight": "normal", "anchor": "start"},
        "aria": False,  # one picture; the page's table of values and the arrow keys lead to each value
    }


def _panel(panel: Panel, twin: Twin, fields: dict[str, str], width: int) -> dict[str, Any]:
    x, y = _position(panel.x, fields, _extent(panel, "x")), _position(panel.y, fields, _extent(panel, "y"))
    layers = _cells(panel, fields) if panel.shade else _curves(panel, twin, fields)
    ring = {
        "name": f"{RING}{twin.panels.index(panel)}",
        "transform": [{"filter": f"datum.{ROW} == {AT}"}],
        "mark": {"type": "point", "size": 260, "strokeWidth": 3, "color": palette.BLACK},
    }
    size: dict[str, Any] = {"width": width, "height": HEIGHT}
    if panel.shade:  # cells of whole pixels leave no seams
        of = {"width": (width, "x"), "height": (HEIGHT, "y")}
        size = {
            side: {"step": max(1, room // max(series.rows[getattr(series, axis)].nunique() for series in panel.series))}
            for side, (room, axis) in of.items()
        }
    drawn: dict[str, Any] = size | {"layer": [*layers, ring], "encoding": {"x": x, "y": y}}
    drawn["resolve"] = {"scale": {"fill": "independent"}}  # a band is filled, a hollow mark of its series is not
    if len(twin.panels) > 1:
        drawn["title"] = panel.title
        drawn["transform"] = [{"filter": {"field": PANEL, "equal": panel.title}}]
    return drawn


def _extent(panel: Panel, axis: str) -> list[pd.Series]:
    """What is drawn along an axis: marks, and the bounds of bands along it. All layers of a panel have one axis."""
    columns = [(series, getattr(series, axis)) for series in panel.series]
    along = [series for series in panel.series if series.low and series.column == getattr(series, axis)]
    return [series.shown(column) for series, column in columns] + [
        series.shown(bound) for series in along for bound in (series.low, series.high)
    ]


def _position(axis: Axis, fields: dict[str, str], shown: Sequence[pd.Series]) -> dict[str, Any]:
    encoded: dict[str, Any] = {"field": fields[axis.title], "title": axis.title}
    if axis.kind == "ordinal":
        ordinal = {"labelOverlap": True, "labelAngle": 0}
        return encoded | {"type": "ordinal", "sort": "descending" if axis.reverse else None, "axis": ordinal}
    scale: dict[str, Any] = {"type": axis.kind, "nice": axis.kind != "log", "reverse": axis.reverse}
    if axis.kind == "linear":
        scale["zero"] = False
    low, high = min(values.min() for values in shown), max(values.max() for values in shown)
    # Many digits are no help on an axis: 100G rather than 100,000,000,000.
    ticks: dict[str, Any] = {"format": "~s" if high >= MANY else ",.10~g", "tickCount": 6}
    if axis.ticks or axis.kind != "linear":
        ticks["values"] = list(axis.ticks) or _round_numbers(low, high)
    return encoded | {"type": "quantitative", "scale": scale, "axis": ticks}


def _round_numbers(low: float, high: float) -> list[float]:
    """1, 2, 5, 10 and so on as far as the values go, and 0 where they do."""
    least = low if low > 0 else 1
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(high)) + 1)
    numbers = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    return ([0.0] if low == 0 else []) + [number for number in numbers if least <= number <= high]


def _curves(panel: Panel, twin: Twin, fields: dict[str, str]) -> list[dict[str, Any]]:
    looks = twin.looks()

    def by_series(of, **more) -> dict[str, Any]:
        scale = {"domain": list(looks), "range": [of(series) for series in looks.values()]}
        return {"field": NAME, "type": "nominal", "scale": scale, "legend": None} | more

    detail = [{"field": fields["seed"]}] if "seed" in fields else []
    layers = []
    banded = [series for series in panel.series if series.low]
    if banded:
        sideways = banded[0].column == banded[0].x
        low, high = ("x", "x2") if sideways else ("y", "y2")
        along = _position(panel.x if sideways else panel.y, fields, _extent(panel, low))
        band = {low: along | {"field": fields["from"]}, high: {"field": fields["to"]}}
        layers.append({
            "transform": [_among(banded)],
            "mark": {"type": "area", "opacity": 0.2, "orient": "horizontal" if sideways else "vertical"},
            "encoding": band | {"fill": by_series(lambda series: series.look.colour), "detail": detail},
        })  # fmt: skip
    for thin in (True, False):
        lined = [series for series in panel.series if series.line and series.thin == thin]
        if not lined:
            continue
        layers.append({
            "transform": [_among(lined)],
            "mark": {"type": "line", "strokeWidth": 0.8 if thin else 1.8, "opacity": 0.6 if thin else 1},
            "encoding": {
                "stroke": by_series(lambda series: series.look.colour),
                "strokeDash": by_series(lambda series: DASHES[series.line]),
                "detail": detail,
                "order": {"field": ROW},
            },
        })  # fmt: skip
    clear = "transparent"
    for size in sorted({series.size for series in panel.series}):  # the post's marks are the largest, and over all else
        marked = [series for series in panel.series if series.size == size]
        width = 2.2 if marked[0].is_posted else 1.2
        layers.append({
            "transform": [_among(marked)],
            "mark": {"type": "point", "opacity": 1, "size": size, "strokeWidth": width, "tooltip": {"content": "data"}},
            "encoding": {
                "stroke": by_series(lambda series: series.look.colour),
                "fill": by_series(lambda series: series.look.colour if is_filled(series) else clear),
                "shape": by_series(lambda series: shape(series.look)),
            },
        })  # fmt: skip
    return layers


def _among(series: list[Series]) -> dict[str, Any]:
    return {"filter": {"field": NAME, "oneOf": [each.name for each in series]}}


def _cells(panel: Panel, fields: dict[str, str]) -> list[dict[str, Any]]:
    colours = matplotlib.colormaps[panel.cmap](np.linspace(0, 1, COLOURS))
    scale = {"range": [to_hex(colour) for colour in colours], "domain": list(panel.range)}
    colour = {"field": fields[panel.shade.title], "type": "quantitative", "scale": scale, "title": panel.shade.title}
    colour["legend"] = {"orient": "bottom", "direction": "horizontal"}
    return [{"mark": {"type": "rect", "tooltip": {"content": "data"}}, "encoding": {"color": colour}}]


def is_filled(series: Series) -> bool:
    marker = MarkerStyle(series.look.marker or "o")
    return marker.is_filled() and not series.hollow


def shape(look: Look) -> str:
    """The marker of a look as the path of an SVG, within -1 and 1."""
    marker = MarkerStyle(look.marker or "o")
    path = marker.get_path().transformed(marker.get_transform())
    extent = np.abs(path.vertices).max()
    commands = []
    for points, code in path.iter_segments(simplify=False):
        letter = {path.MOVETO: "M", path.LINETO: "L", path.CURVE3: "Q", path.CURVE4: "C", path.CLOSEPOLY: "Z"}[code]
        pairs = (points.reshape(-1, 2) / extent * [1, -1]).round(3) + 0.0  # an SVG counts downward; no -0
        commands.append("Z" if letter == "Z" else letter + " ".join(f"{x:g},{y:g}" for x, y in pairs))
    return "".join(commands)
