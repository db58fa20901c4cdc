"""Position of every walk over its steps."""

import matplotlib.pyplot as plt

from postproof.charts import plotting
from postproof.core import tables

TABLES = ("toy/walk",)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    [table] = tables.read_all(args.tables, TABLES)
    plotting.style()
    figure, axes = plt.subplots()
    for _, walk in table.groupby(["kind", "seed"]):
        axes.plot(walk["step"], walk["position"])
    plotting.save(figure, args.out_svg, args.out_png)
