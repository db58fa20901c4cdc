"""Twin of the chart kv_cache_memory."""

from __future__ import annotations

import math

from postproof.charts.palette import POSTED
from postproof.core import tables
from postproof.interactive import page
from postproof.interactive.twin import Axis, Panel, Series, Twin
from postproof.llama2.figures.kv_cache_memory import TABLES, beside_ours, read, says
from postproof.llama2.looks import MODELS
from postproof.published.kv_cache import GIB


def add_arguments(parser) -> None:
    page.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(args.tables[0])
    series = tuple(
        Series(look.long, look, TABLES[0], rows, "sequence", "formula_bytes", unit=GIB, told={"kv_heads": "KV heads"})
        for model, look in MODELS.items()
        if not (rows := table[table["model"] == model].sort_values("sequence")).empty
    )
    posted = beside_ours(tables.read(args.tables[2], TABLES[2]), table)
    series += (Series(POSTED.long, POSTED, TABLES[2], posted, "sequence", "cache_gib", told={"model": "model"}),)
    lengths = sorted(set(table["sequence"]))
    doublings = tuple(length for length in lengths if math.log2(length / lengths[0]) % 1 == 0)
    panel = Panel(Axis("sequence (tokens)", "log", ticks=doublings), Axis("keys and values (GiB)", "log"), series)
    page.write(args, TABLES, Twin(says(table, posted), (panel,)))
