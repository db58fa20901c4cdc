"""Twin of the chart rope_decay: on the logarithmic axis, which has room for all curves."""

from __future__ import annotations

from postproof.charts.palette import POSTED
from postproof.core import tables
from postproof.interactive import page
from postproof.interactive.twin import Axis, Panel, Series, Twin
from postproof.llama2.figures.rope_decay import BAND, NAMES, SCORES, TABLES, read, says
from postproof.llama2.looks import CURVES


def add_arguments(parser) -> None:
    page.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(args.tables[0])
    posted = tables.read(args.tables[1], TABLES[1])
    low, high = (table["expected"] + sign * BAND * table["expected_sd"] for sign in (-1, 1))
    table = table.assign(low=low, high=high)
    series = []
    for curve, look in CURVES.items():
        rows = table[table["curve"] == curve]
        one = rows[rows["seed"] == rows["seed"].iloc[0]]  # all seeds have one expectation
        name = f"{NAMES[curve]}: {SCORES[curve]}"
        series.append(Series(name, look, TABLES[0], one, "distance", "expected", low="low", high="high"))
        drawn = f"{name}, mean of draws"
        series.append(Series(drawn, look, TABLES[0], rows, "distance", "score", run="seed", thin=True))
    told = {"curve": "curve"}
    series.append(Series(POSTED.long, POSTED, TABLES[1], posted, "distance", "score", told=told))
    axes = Axis("distance of key from query (tokens)"), Axis("mean score of unit vectors (log)", "log")
    page.write(args, TABLES, Twin(says(table, posted), (Panel(*axes, tuple(series)),)))
