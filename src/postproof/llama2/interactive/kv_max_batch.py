"""Twin of the chart kv_max_batch."""

from __future__ import annotations

import pandas as pd

from postproof.charts.palette import POSTED
from postproof.core import tables
from postproof.interactive import page
from postproof.interactive.twin import Axis, Panel, Series, Twin
from postproof.llama2.figures.kv_max_batch import READING_COLUMNS, TABLES, read, says
from postproof.llama2.looks import MODELS, READINGS


def add_arguments(parser) -> None:
    page.add_arguments(parser, TABLES)


def main(args) -> None:
    _, ours = read(*args.tables[:2])
    posted = tables.read(args.tables[2], TABLES[2])
    rows, of_post = named(ours), named(posted)
    series = tuple(
        Series(look.long, look, TABLES[1], rows, column, "name", value=column, told={"sequence": "sequence (tokens)"},
               hollow=reading == "GB", joined=False)
        for (reading, look), column in zip(READINGS.items(), READING_COLUMNS)
    )  # fmt: skip
    series += (Series(POSTED.long, POSTED, TABLES[2], of_post, "max_batch", "name", value="max_batch",
                      told={"relation": "the post's batch is"}),)  # fmt: skip
    panel = Panel(Axis("sequences at once (log from 1; 0 below)", "symlog"), Axis("model", "ordinal"), series)
    page.write(args, TABLES, Twin(says(ours, posted), (panel,)))


def named(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order of the models, with their names."""
    rows = rows.sort_values("model", key=lambda models: models.map(list(MODELS).index))
    return rows.assign(name=rows["model"].map(lambda model: MODELS[model].short))
