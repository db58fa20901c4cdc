"""What the auxiliary loss costs in validation perplexity at the last checkpoint: with it minus without it within each
seed, the mean and its 95 % interval by Student's t, and the difference that the post shows. Rows: the post's text and
draws, validated as posted on windows drawn anew and on the whole split; the text of params.yaml, one auxiliary loss
over the rows of all layers as posted, and a loss of each layer, summed.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from postproof.charts import palette, plotting, posted_marks
from postproof.charts.palette import POSTED
from postproof.core import tables
from postproof.mixtral.figures import rerun_marks
from postproof.mixtral.figures.rerun_marks import fixed

TABLES = ("mixtral/router_quality", "mixtral/router_quality_by_seed")
KEY = ["text", "protocol", "validated"]
NAMES = {
    ("posted", "as_run", "anew"): "the post's text,\nwindows drawn anew\n(as posted)",
    ("posted", "as_run", "whole"): "the post's text,\nwhole split",
    ("params", "paired", "whole"): "text of params.yaml,\nwhole split",
    ("params", "by_layer", "whole"): "the same, a loss\nof each layer",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    quality, seeds = read(*args.tables)
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 4.6))
    for y, row in enumerate(quality.itertuples()):
        draw(axes, y, row, seeds.loc[(seeds[KEY] == list(row[1:4])).all(axis=1), "difference"])
    axes.axvline(0, color=palette.DARK_GREY, linestyle=":", linewidth=1.3)
    axes.set_yticks(range(len(quality)), [NAMES[tuple(key)] for key in quality[KEY].to_numpy()], size=9)
    axes.set(xlabel="perplexity with auxiliary loss minus without (above 0: worse)", ylim=(len(quality) - 0.35, -0.6))
    axes.grid(axis="y", visible=False)
    plotting.headed(
        figure,
        says(quality),
        "Validation perplexity at the last checkpoint, within each seed. Rings: single seeds; "
        "diamonds and lines: mean and its 95 % interval (Student's t).",
        plotting.source(TABLES, f"{counts(quality['seeds'])} per row."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def counts(seeds: pd.Series) -> str:
    """`3 to 5 seeds` where rows have different numbers."""
    return f"{seeds.min()} to {seeds.max()} seeds" if seeds.min() < seeds.max() else rerun_marks.of_seeds(seeds.min())


def read(path: Path, seeds_path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of mixtral.router_quality.

    Raises ArtefactError when one is not of its schema, a measure is missing, or an identity does not hold.
    """
    quality, seeds = tables.read_all([path, seeds_path], TABLES)
    of_seeds = seeds.groupby(KEY)["difference"].agg(["size", "mean"])
    of_seeds = of_seeds.reindex(pd.MultiIndex.from_frame(quality[KEY]))
    identities = {
        "each measure stands once, in order": [tuple(key) for key in quality[KEY].to_numpy()] == list(NAMES),
        "seeds are counted": np.array_equal(quality["seeds"], of_seeds["size"]),
        "the mean is that of the seeds": np.allclose(quality["difference_mean"], of_seeds["mean"], atol=1e-6),
        "the post's stands with the first": quality["posted_difference"].notna().tolist() == [True, *[False] * 3],
    }
    tables.must_hold(path, identities)
    return quality, seeds


def draw(axes, y: int, row, values: pd.Series) -> None:
    """Seeds above, mean and interval below them; the post's on the line of its measure."""
    axes.plot(values, [y - 0.12] * len(values), "o", markersize=6, markerfacecolor="none", color=palette.DARK_GREY)
    axes.plot([row.difference_low, row.difference_high], [y + 0.12] * 2, color=palette.BLACK, linewidth=1.8)
    axes.plot(row.difference_mean, y + 0.12, "D", color=palette.BLACK, markersize=6)
    text = axes.annotate(signed(row.difference_mean), (row.difference_mean, y + 0.12), (0, -8), ha="center", va="top",
                         textcoords="offset points", size=plotting.SMALL_POINTS)  # fmt: skip
    text.set_bbox({"facecolor": palette.WHITE, "edgecolor": "none", "pad": 1})
    if not np.isnan(row.posted_difference):
        posted_marks.mark(axes, [row.posted_difference], [y])
        posted_marks.beside(axes, f"{POSTED.long}: {signed(row.posted_difference)}", row.posted_difference, y, (0, 8),
                            ha="center", va="bottom")  # fmt: skip


def signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{fixed(value, 3)}"


def says(quality: pd.DataFrame) -> str:
    """The posted difference beside the mean and the interval of the same measure over seeds, and what the rest say."""
    first = quality.iloc[0]
    cost = "costs" if first["posted_difference"] > 0 else "gains"
    seen = f"In the post the auxiliary loss {cost} {fixed(abs(first['posted_difference']), 3)} perplexity"
    if first["seeds"] == 1:
        return f"{seen}; the one seed here says {signed(first['difference_mean'])}"
    over = f"{seen}; over {first['seeds']} seeds the mean is {signed(first['difference_mean'])}"
    over += f" ({signed(first['difference_low'])} to {signed(first['difference_high'])})"
    telling = (quality["difference_low"] * quality["difference_high"] > 0).sum()
    if not telling:
        return f"{over}, and every interval includes zero"
    return f"{over}, and {telling} of {len(quality)} intervals leave{'s' if telling == 1 else ''} out zero"
