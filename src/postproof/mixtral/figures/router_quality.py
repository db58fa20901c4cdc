"""What the auxiliary loss costs in validation perplexity at the last checkpoint: with it minus without it within each
seed, the mean and its 95 % interval by Student's t, and the difference that the post shows. Rows: the post's text and
draws, validated as posted on windows drawn anew and on the whole split; the text of params.yaml, one auxiliary loss
over the rows of all layers as posted, and a loss of each layer, summed.
"""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import pandas as pd
from scipy import stats

from postproof.charts import palette, plotting
from postproof.charts.palette import POSTED
from postproof.core import tables
from postproof.mixtral.figures import rerun_marks, router_tables
from postproof.mixtral.figures.rerun_marks import fixed

TABLES = ("mixtral/router_balance_as_run", "mixtral/router_balance", "mixtral/router_balance_reruns")
ANEW, WHOLE = "val_perplexity", "val_perplexity_fixed_windows"
ROWS = {  # (table, protocol, column): the row's name
    ("mixtral/router_balance_as_run", "as_run", ANEW): "the post's text,\nwindows drawn anew\n(as posted)",
    ("mixtral/router_balance_as_run", "as_run", WHOLE): "the post's text,\nwhole split",
    ("mixtral/router_balance", "paired", WHOLE): "text of params.yaml,\nwhole split",
    ("mixtral/router_balance", "by_layer", WHOLE): "the same, a loss\nof each layer",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    as_run_file, balance_file, reruns_file = args.tables
    runs = dict(zip(TABLES, map(router_tables.read_balance, (as_run_file, balance_file))))
    posted = posted_difference(tables.read(reruns_file, TABLES[-1]))
    rows = {name: differences(runs[table], protocol, column) for (table, protocol, column), name in ROWS.items()}
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 4.6))
    for y, values in enumerate(rows.values()):
        draw(axes, y, values)
    rerun_marks.posted(axes, [posted], [0])
    axes.annotate(f"{POSTED.long}: {signed(posted)}", (posted, 0), (0, 8), textcoords="offset points", ha="center",
                  va="bottom", color=POSTED.colour, size=plotting.SMALL_POINTS)  # fmt: skip
    axes.axvline(0, color=palette.DARK_GREY, linestyle=":", linewidth=1.3)
    axes.set_yticks(range(len(rows)), list(rows), size=9)
    axes.set(xlabel="perplexity with auxiliary loss minus without (above 0: worse)", ylim=(len(rows) - 0.5, -0.6))
    axes.grid(axis="y", visible=False)
    plotting.headed(
        figure,
        says(posted, rows),
        "Validation perplexity at the last checkpoint, within each seed. Rings: single seeds; "
        "diamonds and lines: mean and its 95 % interval (Student's t).",
        plotting.source(TABLES, f"{rerun_marks.of_seeds(min(map(len, rows.values())))} per row."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def posted_difference(reruns: pd.DataFrame) -> float:
    ends = reruns.groupby("arm")["val_perplexity_posted"].last()
    return float(ends["with_aux"] - ends["no_aux"])


def differences(balance: pd.DataFrame, protocol: str, column: str) -> pd.Series:
    """With the auxiliary loss minus without at the last checkpoint, by seed."""
    last = balance[(balance["step"] == balance["step"].max()) & (balance["protocol"] == protocol)]
    arms = last.pivot(index="seed", columns="arm", values=column)
    return arms["with_aux"] - arms["no_aux"]


def interval(values: pd.Series) -> tuple[float, float]:
    """Of the mean, by Student's t; the mean itself when there is one seed."""
    mean, n = values.mean(), len(values)
    reach = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n) if n > 1 else 0.0
    return mean - reach, mean + reach


def draw(axes, y: int, values: pd.Series) -> None:
    """Seeds above, mean and interval below them."""
    axes.plot(values, [y - 0.12] * len(values), "o", markersize=6, markerfacecolor="none", color=palette.DARK_GREY)
    low, high = interval(values)
    axes.plot([low, high], [y + 0.12] * 2, color=palette.BLACK, linewidth=1.8)
    axes.plot(values.mean(), y + 0.12, "D", color=palette.BLACK, markersize=6)
    text = axes.annotate(signed(values.mean()), (values.mean(), y + 0.12), (0, -8), textcoords="offset points",
                         ha="center", va="top", size=plotting.SMALL_POINTS)  # fmt: skip
    text.set_bbox({"facecolor": palette.WHITE, "edgecolor": "none", "pad": 1})


def signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{fixed(value, 3)}"


def says(posted: float, rows: dict[str, pd.Series]) -> str:
    """The posted difference beside the mean and the interval of the same measure over seeds, and what the rest say."""
    cost = "costs" if posted > 0 else "gains"
    values = next(iter(rows.values()))
    low, high = interval(values)
    seen = f"In the post the auxiliary loss {cost} {fixed(abs(posted), 3)} perplexity"
    if len(values) == 1:
        return f"{seen}; the one seed here says {signed(values.mean())}"
    over = f"{seen}; over {len(values)} seeds the mean is {signed(values.mean())}"
    over += f" (interval {signed(low)} to {signed(high)})"
    telling = [values for values in rows.values() if interval(values)[0] * interval(values)[1] > 0]
    if not telling:
        return f"{over}, and every interval here includes zero"
    return f"{over}, and {len(telling)} of {len(rows)} intervals here leave out zero"
