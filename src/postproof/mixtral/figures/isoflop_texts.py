"""The gap between dense and MoE at equal training FLOPs, from the race's budget to ten times it, on two texts: the
post's with its draws, from recorded runs, and that of params.yaml, by default the plays. Single seeds, the 95 % range
of the mean, and the gap where both of the post's own runs end. Validated on the whole split, by the post on windows
drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import plotting
from postproof.charts.plotting import percent
from postproof.core import tables
from postproof.mixtral.figures import isoflop_gap, rerun_marks
from postproof.mixtral.figures.race_texts import TITLES

TABLES = (
    "mixtral/isoflop_as_run",
    "mixtral/isoflop_gap_as_run",
    "mixtral/isoflop",
    "mixtral/isoflop_gap",
    "mixtral/race_posted_gap",
)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    *read, posted = tables.read_all(args.tables, TABLES)
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(plotting.COLUMN, 4.6), sharex=True, sharey=True)
    drawn = []
    for axes, points, gaps, file, title in zip(panels, read[::2], read[1::2], args.tables[1::2], TITLES):
        isoflop_gap.check(points, gaps, file)
        narrow = [each[each["width"] == each["width"].min()] for each in (points, gaps)]
        isoflop_gap.draw_gap(axes, *narrow, seeds_needed=False)
        drawn.append(narrow[1])
        axes.set_title(f"{title}, {rerun_marks.of_seeds(int(gaps['seeds'].min()))}", fontsize=10)
        axes.set(xlabel=isoflop_gap.LABEL)
    end = posted.iloc[-1]
    rerun_marks.posted(panels[0], [end["cumulative_flops"]], [end["gap_nats"]])
    panels[0].set(ylabel="gap: loss of dense minus MoE (nats)")
    handles = [*panels[0].get_legend_handles_labels()[0], rerun_marks.posted_handle()]
    panels[1].legend(handles=handles, fontsize=plotting.SMALL_POINTS, loc="upper right")
    plotting.headed(
        figure,
        says(drawn, end["perplexity_reduction"]),
        "Gap in validation loss on the whole split: dots single seeds, diamonds and bars the mean and its 95 % "
        "interval; dotted: no gap. The post: where both its runs have used as much compute.",
        plotting.source(TABLES, "Dense and MoE of the post's size."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(gaps: Sequence[pd.DataFrame], posted: float) -> str:
    """How the reduction in perplexity goes from the smallest to the largest budget, on each text, and the post's."""
    ends = [table.sort_values("budget_flops")["perplexity_reduction"].iloc[[0, -1]].tolist() for table in gaps]
    each = [f"from {percent(first)} to {percent(last)}" for first, last in ends]
    shrinks = all(first > last for first, last in ends)
    times = gaps[0]["budget_flops"].max() / gaps[0]["budget_flops"].min()
    return (
        f"At {rerun_marks.fixed(times, 0)} times the compute the MoE's lead "
        f"{'shrinks' if shrinks else 'goes'} {each[0]} on the post's text "
        f"and {each[1]} on the other; at its one budget, and equal FLOPs, the post has {percent(posted)}"
    )
