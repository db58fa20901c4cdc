"""Twin of the chart race_matched_axes."""

from __future__ import annotations

import pandas as pd

from postproof.charts.palette import POSTED
from postproof.core import tables
from postproof.interactive import page
from postproof.interactive.twin import Axis, Panel, Series, Twin
from postproof.mixtral.figures import race_curves
from postproof.mixtral.figures.race_matched_axes import ARMS, AXES, PANELS, PROTOCOL, TABLES, read_gaps, says
from postproof.mixtral.interactive.race_series import of_runs
from postproof.mixtral.looks import LOOKS

TITLES = AXES | {"wall_seconds": "wall seconds of the author's machine (log)"}
Y = "val_perplexity"


def add_arguments(parser) -> None:
    page.add_arguments(parser, TABLES)


def main(args) -> None:
    race_file, gaps_file, posted_file = args.tables
    race = race_curves.read(race_file)
    race = race[race["protocol"] == PROTOCOL]
    gaps, posted = read_gaps(gaps_file), tables.read(posted_file, TABLES[2])
    panels = []
    for x, held in PANELS.items():
        series = [
            Series(f"{POSTED.long}: {LOOKS[ARMS[model]].long}", POSTED, TABLES[2], rows, x, Y)
            for model, rows in posted.groupby("model")
        ]
        is_ours = x in race
        series += of_runs(race, TABLES[0], x, Y) if is_ours else of_author(posted, x)
        axis = Axis(TITLES[x], "linear" if is_ours else "log")
        panels.append(Panel(axis, Axis("validation perplexity"), tuple(series), f"equal {held}"))
    page.write(args, TABLES, Twin(says(gaps, posted), tuple(panels)))


def of_author(posted: pd.DataFrame, x: str) -> list[Series]:
    """Lines through the post's marks, by which its two runs are told apart."""
    return [
        Series(f"{look.long}, the author's run", look, TABLES[2], rows, x, Y)
        for model, rows in posted.groupby("model")
        if (look := LOOKS[ARMS[model]])
    ]
