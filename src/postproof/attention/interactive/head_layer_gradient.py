"""Twin of the chart head_layer_gradient: entropy over depth; classes of heads are told with each layer."""

from __future__ import annotations

import pandas as pd

from postproof.attention.figures.head_layer_gradient import (
    LINES,
    POSTED_MODEL,
    TABLES,
    check,
    check_posted,
    depth,
    says,
)
from postproof.attention.looks import CLASSES, MODELS, PROTOCOLS, model_name
from postproof.charts.palette import POSTED
from postproof.core import tables
from postproof.interactive import page
from postproof.interactive.twin import Axis, Panel, Series, Twin


def add_arguments(parser) -> None:
    page.add_arguments(parser, TABLES)


def main(args) -> None:
    table, limits, posted = tables.read_all(args.tables, TABLES)
    model = table["model"].iloc[0]
    table, limits = table[table["model"] == model], limits[limits["model"] == model].set_index("protocol")
    check(table, limits, args.tables[0])
    check_posted(posted, args.tables[2])
    counts = {kind: look.long for kind, look in CLASSES.items()}
    at = "mean_entropy_nats", "depth", "", "mean_entropy_nats"
    name = f"{POSTED.long}: {MODELS[POSTED_MODEL]}"
    series = [Series(name, POSTED, TABLES[2], over_depth(posted), *at, told={"layer": "layer"} | counts)]
    for protocol, name in LINES.items():
        rows = over_depth(table[table["protocol"] == protocol])
        series.append(Series(f"{model_name(model)}, {name}", PROTOCOLS[protocol], TABLES[0], rows, "entropy", "depth",
                             value="entropy", low="entropy_low", high="entropy_high", told={"layer": "layer"}
                             | {f"{kind}_posted": look for kind, look in counts.items()}))  # fmt: skip
    panel = Panel(Axis("mean entropy (nats)"), Axis("depth, from input to output", reverse=True), tuple(series))
    page.write(args, TABLES, Twin(says(posted, table, model), (panel,)))


def over_depth(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.sort_values("layer")
    return rows.assign(depth=depth(len(rows)))
