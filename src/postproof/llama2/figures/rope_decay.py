"""Mean score of unit vectors over their distance, q and k independent or the same, rotated or with sinusoids added:
means of the draws, their expectation, and where 95 % of such means lie. Rotation alone gives independent vectors one
and the same score at every distance; a decay is a property of content that q and k share.
Crosses: where the post has its curves begin and end.

Two panels as posted, a linear and a logarithmic axis. Without renormalising, sinusoids add about d/2 to every score:
that curve has room on the logarithmic axis only.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from postproof.charts import plotting, posted_marks
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.llama2.figures.axes import plain_log
from postproof.llama2.looks import CURVES

TABLES = ("llama2/rope_decay", "llama2/posted_rope_decay")
BAND = 1.96  # standard deviations: 95 % of means are within
SCORES = {
    "rope_independent": "|q·k|",
    "rope_same": "q·k",
    "sinusoidal_renormalised": "|q·k|",
    "sinusoidal_added": "|q·k|",
}

# Short enough for half a column.
NAMES = {
    "rope_independent": "RoPE, q and k independent",
    "rope_same": "RoPE, k = q",
    "sinusoidal_renormalised": "sinusoids, renormalised",
    "sinusoidal_added": "sinusoids, only added",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(args.tables[0])
    posted = tables.read(args.tables[1], TABLES[1])
    posted = posted[posted["distance"] <= table["distance"].max()]
    plotting.style()
    figure, (linear, logarithmic) = plt.subplots(1, 2, figsize=(plotting.COLUMN, 5.4))
    for axes in (linear, logarithmic):
        for curve, rows in table.groupby("curve"):
            if axes is logarithmic or curve != "sinusoidal_added":
                draw(axes, curve, rows)
        posted_marks.mark(axes, posted["distance"], posted["score"], clip_on=False)  # its ends are those of the axis
        axes.set(xlabel="distance of key from query (tokens)", xlim=(0, table["distance"].max()))
    linear.set(ylabel="mean score of unit vectors", ylim=(0, 1.08 * table.loc[on_linear(table), "score"].max()))
    linear.set_title("linear axis", fontsize=10, loc="left")
    least = min(table["score"].min(), posted["score"].min())
    logarithmic.set(yscale="log", ylim=(least / 1.5, 3 * table["score"].max()))
    plain_log(logarithmic.yaxis)
    logarithmic.minorticks_off()
    logarithmic.set_title("logarithmic axis", fontsize=10, loc="left")
    linear.legend(handles=handles(), loc="upper right", bbox_to_anchor=(1.03, 1.03), fontsize=plotting.SMALL_POINTS)
    seeds, draws = table["seed"].nunique(), table["draws"].iloc[0]
    plotting.headed(
        figure,
        says(table, posted),
        f"Score of q and k, unit vectors of {features(table)} features. Thick: expectation; thin: means of {draws:,} "
        f"draws, {seeds} seed{'s' * (seeds > 1)}; band: 95 % of such means. RoPE's curve with k = q lies on "
        "that of the renormalised sinusoids; that of sinusoids only added has room on the right alone.",
        plotting.source(TABLES, f"Random unit vectors, {seeds} seed{'s' * (seeds > 1)}. Crosses: the post's text."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def on_linear(table: pd.DataFrame) -> pd.Series:
    return table["curve"] != "sinusoidal_added"


def says(table: pd.DataFrame, posted: pd.DataFrame) -> str:
    """That rotation alone gives one score at every distance, what the post has, and what the sinusoidal curve does."""
    expected = table.groupby(["curve", "distance"])["expected"].first()
    constant = expected["rope_independent"].iloc[0]
    first, last = expected["sinusoidal_renormalised"].iloc[[0, -1]]
    moves = "falls, from" if last < first else "does not fall: from"
    theirs = posted[posted["curve"] == "rope_independent"].sort_values("distance")["score"]
    where = f", where the post has {theirs.iloc[0]:g} falling to {theirs.iloc[-1]:g}" if len(theirs) > 1 else ""
    return (
        f"With RoPE independent q and k score {constant:.3f} on average at every distance{where}; the curve with "
        f"sinusoids {moves} {first:.2f} to {last:.2f}"
    )


def draw(axes: Axes, curve: str, rows: pd.DataFrame) -> None:
    colour = CURVES[curve].colour
    one = rows[rows["seed"] == rows["seed"].iloc[0]]
    for _, run in rows.groupby("seed"):
        axes.plot(run["distance"], run["score"], color=colour, linewidth=0.6, alpha=0.55)
    low, high = (one["expected"] + sign * BAND * one["expected_sd"] for sign in (-1, 1))
    axes.fill_between(one["distance"], low, high, color=colour, alpha=0.25, linewidth=0)
    # The curve of k = q is the sinusoidal one but for a percent or two: a thin dashed line over a thick one.
    width = 3.5 if curve == "sinusoidal_renormalised" else 1.8
    axes.plot(
        one["distance"], one["expected"], color=colour, linestyle=CURVES[curve].line, linewidth=width,
        zorder=3 if curve == "rope_same" else 2,
    )  # fmt: skip


def handles() -> list[Line2D]:
    return [
        Line2D([], [], color=look.colour, linestyle=look.line, linewidth=3.5 if "renorm" in curve else 2,
               label=f"{NAMES[curve]}: {SCORES[curve]}")
        for curve, look in CURVES.items()
    ] + [posted_marks.handle()]  # fmt: skip


def features(table: pd.DataFrame) -> int:
    """Of q and k: sinusoids add one to k = q's score of 1 for each pair of features."""
    at_0 = table[table["distance"] == 0].groupby("curve")["expected"].first()
    return 2 * round(at_0["sinusoidal_added"] / at_0["rope_same"])


def read(path: Path) -> pd.DataFrame:
    """The table of llama2.rope_decay.

    Raises ArtefactError when a curve or a point is missing, or an identity does not hold.
    """
    table = tables.read(path, TABLES[0])
    expected = table.pivot_table(index="distance", columns="curve", values="expected", aggfunc=["min", "max"])
    points = table.groupby(["curve", "seed"])["distance"].agg(["size", "max", "nunique"])
    if set(table["curve"]) != set(CURVES) or len(points) != len(CURVES) * table["seed"].nunique():
        raise ArtefactError("curves and seeds do not fit", file=path, allowed=", ".join(CURVES))
    one = expected["min"]
    ratios = [one[curve] / one["rope_same"] for curve in ("sinusoidal_renormalised", "sinusoidal_added")]
    off = np.abs(table["score"] - table["expected"])
    identities = {
        "all distances in every run": points.eq([table["distance"].max() + 1, *points.iloc[0][1:]]).all(axis=None),
        "one expectation for all seeds": np.allclose(one, expected["max"], rtol=1e-8),
        "RoPE of independent vectors is constant": np.ptp(one["rope_independent"]) < 1e-8,
        "k = q scores 1 at distance 0": abs(one["rope_same"].iloc[0] - 1) < 1e-8,
        "sinusoidal curves are in proportion to k = q": all(np.ptp(r) < 1e-6 * r.iloc[0] for r in ratios),
        "means lie near their expectation": (off < 6 * table["expected_sd"] + 1e-8).all(),
    }
    tables.must_hold(path, identities)
    return table
