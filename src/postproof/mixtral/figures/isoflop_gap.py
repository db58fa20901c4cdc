"""Dense and MoE decoders at several training budgets, validated on the whole split: perplexity of all seeds, the gap in
loss within each seed with the 95 % interval of its mean, and how many seeds a t test needs to tell it from none.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/isoflop", "mixtral/isoflop_gap")
LABEL = "training FLOPs (budget)"
SUBS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)  # ticks of the logarithmic axis within a decade


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    points, gaps = tables.read_all(args.tables, TABLES)
    check(points, gaps, args.tables[1])
    widths = sorted(points["width"].unique())
    plotting.style()
    figure, grid = plt.subplots(2, len(widths), figsize=(1.6 + 5.2 * len(widths), 7.4), sharex=True, squeeze=False)
    for (upper, lower), width in zip(grid.T, widths):
        draw_perplexity(upper, points[points["width"] == width])
        draw_gap(lower, points[points["width"] == width], gaps[gaps["width"] == width])
        upper.set_title(f"d_model {width}", fontsize=10)
        lower.set(xlabel=LABEL)
    grid[0][0].set(ylabel="validation perplexity (whole split)")
    grid[0][0].legend(fontsize=9)
    grid[1][0].set(ylabel="gap: loss of dense minus MoE (nats)")
    grid[1][0].legend(fontsize=9, loc="upper right")
    figure.suptitle("Dense and MoE at equal training FLOPs, both arms of a seed on the same batches", fontsize=11)
    plotting.save(figure, args.out_svg, args.out_png)


def check(points: pd.DataFrame, gaps: pd.DataFrame, path: Path) -> None:
    """Raises ArtefactError when the two tables do not tell of the same gaps."""
    mean = points.pivot_table(index=["width", "budget_flops"], columns="arm", values="val_loss")
    expected = (mean["dense"] - mean["moe"]).reset_index(name="gap_nats")
    same = np.allclose(expected, gaps[["width", "budget_flops", "gap_nats"]], rtol=1e-6, atol=1e-7)
    tables.must_hold(path, {"the gap is the mean over the seeds": same})


def draw_perplexity(axes: Axes, points: pd.DataFrame) -> None:
    for arm, runs in points.groupby("arm"):
        look = LOOKS[arm]
        for _, run in runs.groupby("seed"):
            axes.plot(run["budget_flops"], run["val_perplexity"], color=look.colour, linewidth=0.7, alpha=0.45)
        mean = runs.groupby("budget_flops")["val_perplexity"].mean()
        label = f"{look.long}: mean of {runs['seed'].nunique()} seeds"
        axes.plot(mean, color=look.colour, marker=look.marker, markersize=5, label=label)
    axes.set(xscale="log", yscale="log")
    axes.yaxis.set(major_locator=LogLocator(subs=SUBS), minor_locator=NullLocator(), major_formatter="{x:g}")


def draw_gap(axes: Axes, points: pd.DataFrame, gaps: pd.DataFrame) -> None:
    loss = points.pivot(index=["seed", "budget_flops"], columns="arm", values="val_loss").reset_index()
    axes.scatter(
        loss["budget_flops"], loss["dense"] - loss["moe"], color=palette.BLACK, s=12, alpha=0.5, label="single seeds"
    )
    reach = (gaps["gap_high"] - gaps["gap_nats"]).fillna(0)
    axes.errorbar(
        gaps["budget_flops"],
        gaps["gap_nats"],
        yerr=reach,
        color=palette.BLACK,
        marker="D",
        markersize=5,
        capsize=4,
        label="mean, 95 % interval",
    )
    for gap in gaps.dropna(subset=["seeds_needed_paired", "seeds_needed_unpaired"]).itertuples():
        text = f"{gap.seeds_needed_paired:g} seeds tell it"
        if gap.seeds_needed_unpaired != gap.seeds_needed_paired:
            text += f"\n({gap.seeds_needed_unpaired:g} if not paired)"
        axes.annotate(
            text, (gap.budget_flops, gap.gap_high), xytext=(8, 2), textcoords="offset points", ha="left", fontsize=8
        )
    axes.axhline(0, color=palette.DARK_GREY, linestyle=":", linewidth=1.3)
    axes.margins(y=0.2)
    budgets = gaps["budget_flops"].to_numpy()
    axes.set_xticks(budgets, [power_of_ten(budget) for budget in budgets])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(budgets.min() / 1.8, budgets.max() * 1.8)


def power_of_ten(value: float) -> str:
    digits, exponent = f"{value:.1e}".split("e")
    return rf"${float(digits):g} \times 10^{{{int(exponent)}}}$"
