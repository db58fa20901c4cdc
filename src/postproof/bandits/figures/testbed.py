"""The post's problem of ten arms: the value of each and where its rewards lie, and the best value of random problems.

Cross: the arm that the post calls the best, with its value; and the best possible reward that the post gives.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import PercentFormatter

from postproof.charts import palette, plotting, posted_marks
from postproof.charts.plotting import percent
from postproof.core import tables

TABLES = ("bandits/testbed", "bandits/testbed_best", "bandits/testbed_possible", "bandits/posted_testbed",
          "bandits/posted_levels")  # fmt: skip


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    example, bars, possible, posted, levels = tables.read_all(args.tables, TABLES)
    quantiles = example[["q05", "q25", "q50", "q75", "q95"]]
    tables.must_hold(args.tables[0], {"quantiles ascend": (quantiles.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)})
    tables.must_hold(args.tables[1], {"shares sum to 1": abs(bars["share"].sum() - 1) < 1e-6})
    plotting.style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(plotting.COLUMN, 4.6), width_ratios=[3, 2], sharey=True)
    left.vlines(example["arm"], example["q05"], example["q95"], color=palette.LIGHT_GREY, linewidth=2)
    left.vlines(example["arm"], example["q25"], example["q75"], color=palette.GREY, linewidth=6)
    left.plot(example["arm"], example["value"], "_", color=palette.BLACK, markersize=12, markeredgewidth=2)
    posted = posted[posted["arm"].isin(example["arm"])]
    posted_marks.mark(left, posted["arm"], posted["value"], on_colours=True)
    left.axhline(0, color=palette.DARK_GREY, linewidth=0.8)
    left.set(xlabel="arm", ylabel="value, reward")
    left.set_xticks(example["arm"])
    left.set_title("one problem: the post's", fontsize=10, loc="left")
    right.barh(bars["lower"], bars["share"], bars["upper"] - bars["lower"], align="edge", color=palette.LIGHT_GREY,
               edgecolor=palette.WHITE)  # fmt: skip
    row = possible.iloc[0]
    edge = bars["share"].max() * 1.04
    right.hlines(row["expected"], 0, edge, color=palette.BLACK, linewidth=1.4)
    right.annotate(f"expected\n{row['expected']:.4f}", (edge, row["expected"]), (3, -15), textcoords="offset points",
                   size=plotting.SMALL_POINTS, va="center")  # fmt: skip
    theirs = levels.loc[levels["level"] == "best_possible", "reward"]
    for reward in theirs:
        posted_marks.mark(right, [edge], [reward], on_colours=True)
        posted_marks.beside(right, f"the post\n{reward:g}", edge, reward, (7, 13))
    right.set(xlabel="share of problems", xlim=(0, edge * 1.45))
    right.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    right.locator_params(axis="x", nbins=4)
    right.set_title(f"best arm of {row['problems']:,.0f} problems", fontsize=10, loc="left")
    plotting.headed(
        figure,
        says(example, row["expected"], theirs),
        "Left, of each arm: its value (black), half of its rewards (thick), nine tenths (thin). Right: the highest of "
        f"{row['arms']:.0f} values from N(0, 1); bars: problems drawn, their mean {row['drawn']:.3f} ± "
        f"{row['error']:.3f}; "
        "line: its expectation. Crosses: the post.",
        plotting.source(TABLES, "Draws of our own; the expectation by quadrature."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(example: pd.DataFrame, expected: float, posted: pd.Series) -> str:
    """How often the best arm disappoints, and what the best possible reward is."""
    best = example.loc[example["value"].idxmax()]
    loss = (
        f"gives less than nothing in {percent(best['negative'])} of its pulls"
        if best["negative"]
        else "always gives something"
    )
    theirs = f", where the post has {posted.iloc[0]:g}" if len(posted) else ""
    return (
        f"Arm {best['arm']:.0f}, the best with {best['value']:g}, {loss}; a random problem's best gives "
        f"{expected:.3f} on average{theirs}"
    )
