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
from postproof.charts.plotting import percent
from postproof.core import tables
from postproof.mixtral.figures import rerun_marks
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/isoflop", "mixtral/isoflop_gap")
LABEL = "training FLOPs (budget, log)"
SUBS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)  # ticks of the logarithmic axis within a decade


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    points, gaps = tables.read_all(args.tables, TABLES)
    check(points, gaps, args.tables[1])
    widths = sorted(points["width"].unique())
    plotting.style()
    columns = min(2, len(widths))
    rows = 2 if len(widths) == 1 else -(-len(widths) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(plotting.COLUMN, 1.8 + 2.7 * rows), sharex=True, sharey=len(widths) > 1, squeeze=False
    )
    panels = list(grid.flat)
    if len(widths) == 1:  # of several widths the gaps alone
        draw_perplexity(panels.pop(0), points)
    for axes, width in zip(panels, widths):
        draw_gap(axes, points[points["width"] == width], gaps[gaps["width"] == width])
        axes.set_title(f"d_model {width}", fontsize=9)
    for axes in panels[len(widths) :]:
        axes.set_axis_off()
    for axes in grid[-1]:
        axes.set(xlabel=LABEL)
    for axes in panels[: len(widths) : columns]:
        axes.set(ylabel="gap in loss (nats)")
    panels[0].legend(fontsize=plotting.SMALL_POINTS, loc="upper right")
    plotting.headed(
        figure,
        says(gaps),
        "Validation on the whole split, both arms of a seed on the same batches. Gap: loss of dense minus MoE; "
        "beside it how many seeds a t test needs to tell it from none.",
        plotting.source(
            [tables.name_of(file) for file in args.tables],
            f"The text of params.yaml, {rerun_marks.of_seeds(points['seed'].nunique())}.",
        ),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(gaps: pd.DataFrame) -> str:
    """The reduction in perplexity at the smallest and at the largest budget; the narrowest model's."""
    narrow = gaps[gaps["width"] == gaps["width"].min()].sort_values("budget_flops")
    first, last = narrow["perplexity_reduction"].iloc[[0, -1]]
    times = rerun_marks.fixed(narrow["budget_flops"].iloc[-1] / narrow["budget_flops"].iloc[0], 0)
    goes = "shrinks" if last < first else "grows"
    return (
        f"The MoE's lead in perplexity at equal FLOPs {goes} from {percent(first, 1)} to {percent(last, 1)} "
        "as the budget "
        f"grows {times} times"
    )


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
        axes.plot(mean, color=look.colour, marker=look.marker, markersize=5, label=f"{look.long} (mean)")
    axes.set(xscale="log", yscale="log", ylabel="validation perplexity (log)")
    axes.legend(fontsize=plotting.SMALL_POINTS)
    axes.yaxis.set(major_locator=LogLocator(subs=SUBS), minor_locator=NullLocator(), major_formatter="{x:g}")


def draw_gap(axes: Axes, points: pd.DataFrame, gaps: pd.DataFrame, seeds_needed: bool = True) -> None:
    """Gaps of single seeds, their mean with its interval, and how many seeds a t test needs if these are asked for."""
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
    told = gaps.dropna(subset=["seeds_needed_paired", "seeds_needed_unpaired"])
    for gap in told.itertuples() if seeds_needed else ():
        paired, unpaired = int(gap.seeds_needed_paired), int(gap.seeds_needed_unpaired)
        text = f"{paired} seeds" if paired == unpaired else f"{paired} seeds;\n{unpaired} unpaired"
        axes.annotate(
            text,
            (gap.budget_flops, gap.gap_high),
            xytext=(8, 2),
            textcoords="offset points",
            ha="left",
            fontsize=plotting.SMALL_POINTS,
        )
    axes.axhline(0, color=palette.DARK_GREY, linestyle=":", linewidth=1.3)
    axes.margins(y=0.2)
    budgets = gaps["budget_flops"].to_numpy()
    axes.set(xscale="log")
    axes.set_xticks(budgets, [power_of_ten(budget) for budget in budgets])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(budgets.min() / 1.8, budgets.max() * 1.8)


def power_of_ten(value: float) -> str:
    digits, exponent = f"{value:.1e}".split("e")
    return rf"${float(digits):g} \times 10^{{{int(exponent)}}}$"
