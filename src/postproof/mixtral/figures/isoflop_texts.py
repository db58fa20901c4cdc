"""The gap between dense and MoE at equal training FLOPs, from the race's budget to ten times it, on two texts: the
post's with its draws, from recorded runs, and that of params.yaml, by default the plays. Single seeds, the 95 % range
of the mean, and how many seeds a t test needs to tell it from none. Validated on the whole split.
"""

from __future__ import annotations

import matplotlib.pyplot as plt

from postproof.charts import plotting
from postproof.core import tables
from postproof.mixtral.figures import isoflop_gap
from postproof.mixtral.figures.race_texts import TITLES

TABLES = ("mixtral/isoflop_as_run", "mixtral/isoflop_gap_as_run", "mixtral/isoflop", "mixtral/isoflop_gap")


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.6), sharex=True, sharey=True)
    read = tables.read_all(args.tables, TABLES)
    for axes, points, gaps, file, title in zip(panels, read[::2], read[1::2], args.tables[1::2], TITLES):
        isoflop_gap.check(points, gaps, file)
        axes.set(xscale="log")
        isoflop_gap.draw_gap(axes, *(each[each["width"] == each["width"].min()] for each in (points, gaps)))
        axes.set_title(title, fontsize=10)
        axes.set(xlabel=isoflop_gap.LABEL)
    panels[0].set(ylabel="gap: loss of dense minus MoE (nats)")
    panels[1].legend(fontsize=9, loc="upper right")
    figure.suptitle("How far the MoE is ahead at equal training FLOPs, on two texts", fontsize=11)
    plotting.save(figure, args.out_svg, args.out_png)
