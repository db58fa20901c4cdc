"""Twin of the chart head_entropy_heatmap."""

from __future__ import annotations

from postproof.attention.figures.head_entropy_heatmap import (
    POSTED_MODEL,
    PROTOCOLS,
    TABLES,
    check,
    check_posted,
    says,
)
from postproof.attention.looks import LOOKS, MODELS, model_name
from postproof.charts.palette import POSTED
from postproof.core import tables
from postproof.interactive import page
from postproof.interactive.twin import Axis, Panel, Series, Twin


def add_arguments(parser) -> None:
    page.add_arguments(parser, TABLES)


def main(args) -> None:
    heads, limits, posted = tables.read_all(args.tables, TABLES)
    model = heads["model"].iloc[0]
    heads = heads[heads["model"] == model]
    limit = limits[limits["model"] == model].set_index("protocol")["entropy_limit"]
    check(heads, limit, args.tables[0])
    check_posted(posted, args.tables[2])
    of = {protocol: heads[heads["protocol"] == protocol] for protocol in PROTOCOLS}
    largest = float(max(limit[list(PROTOCOLS)].max(), posted["entropy_nats"].max()))
    series = [Series(f"{POSTED.long}: {MODELS[POSTED_MODEL]}", POSTED, TABLES[2], posted, "head", "layer",
                     shade="entropy_nats")]  # fmt: skip
    for protocol, where in PROTOCOLS.items():
        name = f"{model_name(model)}: {' '.join(where.split())}"
        series.append(Series(name, LOOKS[protocol], TABLES[0], of[protocol], "head", "layer", shade="entropy"))
    scale = {"shade": Axis("mean entropy (nats)"), "cmap": "Blues", "range": (0.0, largest)}
    axes = Axis("head", "ordinal"), Axis("layer", "ordinal")
    panels = tuple(Panel(*axes, (each,), each.name, **scale) for each in series)
    grids = {protocol: rows.pivot(index="layer", columns="head", values="entropy") for protocol, rows in of.items()}
    posted_grid = posted.pivot(index="layer", columns="head", values="entropy_nats")
    page.write(args, TABLES, Twin(says(posted_grid, grids, model), panels))
