"""Twin of the chart score_memory: its upper panel, the peaks."""

from __future__ import annotations

from dataclasses import replace

from postproof.attention.figures.score_memory import MARKS, MB, NAMES, TABLES, check, differences, says
from postproof.attention.looks import ATTENTIONS, LOOKS
from postproof.charts.palette import POSTED
from postproof.core import tables
from postproof.interactive import page
from postproof.interactive.twin import Axis, Panel, Series, Twin


def add_arguments(parser) -> None:
    page.add_arguments(parser, TABLES)


def main(args) -> None:
    table, fits, posted = tables.read_all(args.tables, TABLES)
    check(table, fits, *args.tables[:2])
    longest = max(fits["fit_longest_tokens"].max(), posted["sequence"].max())
    drawn = table[table["sequence"] <= longest].drop_duplicates(["attention", "sequence"])
    series = [
        Series(look.long, look, TABLES[0], drawn[drawn["attention"] == attention], "sequence", "peak_bytes", unit=MB)
        for attention, look in ATTENTIONS.items()
    ]
    formula = drawn[drawn["attention"] == "plain"]  # the same for all
    look, at = LOOKS["formula"], ("sequence", "scores_formula_bytes")
    series.append(Series(look.long, look, TABLES[0], formula, *at, unit=MB))
    for column, name in NAMES.items():
        series.append(Series(name, replace(POSTED, marker=MARKS[column]), TABLES[2], posted, "sequence", column))
    panel = Panel(Axis("sequence (tokens)"), Axis("memory (MB)"), tuple(series))
    page.write(args, TABLES, Twin(says(table, posted, differences(table, posted)), (panel,)))
