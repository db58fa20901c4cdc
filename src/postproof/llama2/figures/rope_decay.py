"""Mean score of unit vectors over their distance, q and k independent or the same, rotated or with sinusoids added:
means of the draws, their expectation, and where 95 % of such means lie. Rotation alone gives independent vectors one
and the same score at every distance; a decay is a property of content that q and k share.

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

from postproof.charts import plotting
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.llama2.looks import CURVES

TABLES = ("llama2/rope_decay",)
BAND = 1.96  # standard deviations: 95 % of means are within
SCORES = {
    "rope_independent": "|q·k|",
    "rope_same": "q·k",
    "sinusoidal_renormalised": "|q·k|",
    "sinusoidal_added": "|q·k|",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(*args.tables)
    plotting.style()
    figure, (linear, logarithmic) = plt.subplots(1, 2, figsize=(12.5, 5.8))
    for axes in (linear, logarithmic):
        for curve, rows in table.groupby("curve"):
            if axes is logarithmic or curve != "sinusoidal_added":
                draw(axes, curve, rows)
        axes.set(xlabel="distance of key from query (tokens)", xlim=(0, table["distance"].max()))
    linear.set(ylabel=f"mean score of unit vectors of {features(table)} features", ylim=(0, None))
    linear.set_title("linear axis, as posted", fontsize=10)
    expected = table[(table["seed"] == table["seed"].iloc[0]) & (table["distance"] == 0)].set_index("curve")["expected"]
    linear.annotate(
        "renormalised sinusoids have the curve of k = q,\n"
        f"times {expected['sinusoidal_renormalised']:.3f}, with q and k independent",
        (0.98, 0.9), xycoords="axes fraction", ha="right", va="top", fontsize=9,
    )  # fmt: skip
    logarithmic.set(yscale="log", ylim=(0.03, 100))
    logarithmic.set_yticks([0.03, 0.1, 0.3, 1, 3, 10, 30, 100])
    logarithmic.yaxis.set_major_formatter("{x:g}")
    logarithmic.minorticks_off()
    logarithmic.set_title("logarithmic axis, as posted; with room for sinusoids that are only added", fontsize=10)
    constant = table.loc[table["curve"] == "rope_independent", "expected"].iloc[0]
    figure.suptitle(
        f"Rotation alone makes no decay: independent q and k score {constant:.4f} on average at every distance.\n"
        "Decay shows where k holds what q holds: the same content (k = q), or the same sinusoids added to both"
    )
    seeds, draws = table["seed"].nunique(), table["draws"].iloc[0]
    figure.legend(
        handles=handles(), loc="outside lower center", ncols=4, fontsize=9, title_fontsize=9,
        title=f"thick: expectation; thin: means of {draws} draws, {seeds} seeds; band: where 95 % of such means are",
    )  # fmt: skip
    plotting.save(figure, args.out_svg, args.out_png)


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
        Line2D([], [], color=look.colour, linestyle=look.line, linewidth=2.5, label=f"{look.long}: {SCORES[curve]}")
        for curve, look in CURVES.items()
    ]


def features(table: pd.DataFrame) -> int:
    """Of q and k: sinusoids add one to k = q's score of 1 for each pair of features."""
    at_0 = table[table["distance"] == 0].groupby("curve")["expected"].first()
    return 2 * round(at_0["sinusoidal_added"] / at_0["rope_same"])


def read(path: Path) -> pd.DataFrame:
    """The table of llama2.rope_decay.

    Raises ArtefactError when a curve or a point is missing, or an identity does not hold.
    """
    table = tables.read(path, *TABLES)
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
