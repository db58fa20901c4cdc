"""The fastest and the slowest pair of one real vector at several positions; q and k moved on together, which leaves
their product as it is; scores at all positions against their distance, rotated and with sinusoids added.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Arc

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.llama2.looks import CURVES, LOOKS

TABLES = ("llama2/rope_diagram", "llama2/rope_scores")
MOST_PAIRS = 3
LABEL_WIDTH = 0.2  # rad that a number beside an arrow takes


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    arrows, scores = read(*args.tables)
    turning = arrows[arrows["part"] == "turning"]
    shown = sorted({turning["pair"].min(), turning["pair"].max()})
    plotting.style()
    figure = plt.figure(figsize=(plotting.COLUMN, 8.6))
    grid = figure.add_gridspec(2, 2, height_ratios=[1, 1.05])
    for column, pair in enumerate(shown):
        draw_turning(figure.add_subplot(grid[0, column]), pair, turning[turning["pair"] == pair])
    draw_identity(figure.add_subplot(grid[1, 0]), arrows)
    draw_scores(figure.add_subplot(grid[1, 1]), scores)
    tokens = scores["query_position"].nunique()
    plotting.headed(
        figure,
        says(scores),
        "Above: one pair of features of q; numbers are positions. Below left: q and k of one pair, and both moved on "
        f"(dashed). Below right: one q at each of {tokens} positions, one k at it and each before; line: R(m − n)q·k, "
        "from the distance alone.",
        plotting.source(TABLES, "One query and one key of a seeded draw."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(scores: pd.DataFrame) -> str:
    """How far scores of one distance lie apart, rotated and with sinusoids added."""
    apart = scores.groupby("distance")[["rope", "sinusoidal"]].agg(np.ptp).max()
    largest = scores[["rope", "sinusoidal"]].abs().max()
    rope = "one score for each distance"
    if apart["rope"] > 1e-6 * largest["rope"]:
        rope = f"scores up to {apart['rope']:.2g} apart at one distance"
    return f"RoPE gives {rope}; with sinusoids added, scores of one distance are up to {apart['sinusoidal']:.3g} apart"


def draw_turning(axes: Axes, pair: int, rows: pd.DataFrame) -> None:
    """One pair of q at positions 0, 1, ...: the later, the darker."""
    rows = rows.sort_values("position")
    reach = np.hypot(rows["x"], rows["y"]).max()
    axes.add_patch(plt.Circle((0, 0), reach, fill=False, color=palette.LIGHT_GREY, linewidth=1))
    shades = matplotlib.colormaps["cividis_r"](np.linspace(0.4, 1, len(rows)))
    angles = np.unwrap(np.arctan2(rows["y"], rows["x"]))
    for row, shade in zip(rows.itertuples(), shades):
        arrow(axes, row.x, row.y, shade)
    first, last = rows["position"].iloc[0], rows["position"].iloc[-1]
    step = (angles[-1] - angles[0]) / (len(rows) - 1)
    if step > LABEL_WIDTH:
        labels = dict(zip(rows["position"], angles))
    elif angles[-1] - angles[0] > LABEL_WIDTH:
        labels = {first: angles[0], last: angles[-1]}
    else:
        labels = {f"{first} to {last}": angles[0]}
    for label, angle in labels.items():
        distance = (1.12 if len(labels) > 1 else 1.3) * reach
        axes.text(
            distance * np.cos(angle),
            distance * np.sin(angle),
            label,
            ha="center",
            va="center",
            fontweight="bold",
            size=plotting.SMALL_POINTS,
        )
    axes.set(xlim=(-1.4 * reach, 1.4 * reach), ylim=(-1.4 * reach, 1.4 * reach), aspect="equal")
    axes.set(xlabel=f"feature {2 * pair} of q", ylabel=f"feature {2 * pair + 1} of q", xticks=[0], yticks=[0])
    axes.set_title(f"pair {pair}: {step:.2g} rad per token", fontsize=10, loc="left")


def draw_identity(axes: Axes, arrows: pd.DataFrame) -> None:
    """q and k of one pair, here and both moved on: the angle between them stays."""
    longest = np.hypot(arrows["x"], arrows["y"])[arrows["part"] != "turning"].max()
    for part, style in {"here": "-", "shifted": "--"}.items():
        rows = arrows[arrows["part"] == part].set_index("vector")
        for vector, row in rows.iterrows():
            arrow(axes, row["x"], row["y"], LOOKS[vector].colour, style)
            length = np.hypot(row["x"], row["y"])
            scale = (length + 0.16 * longest) / length
            axes.text(
                scale * row["x"], scale * row["y"], f"{vector} at {row['position']}",
                color=palette.BLACK, ha="center", va="center", fontsize=plotting.SMALL_POINTS,
            )  # fmt: skip
        q, k = (complex(*rows.loc[vector, ["x", "y"]]) for vector in ("q", "k"))
        between = np.degrees(np.angle(q / k))
        first, second = (k, q) if between > 0 else (q, k)
        radius = (0.5 if part == "here" else 0.62) * longest
        ends = [np.degrees(np.angle(z)) for z in (first, second)]
        axes.add_patch(
            Arc((0, 0), radius, radius, theta1=ends[0], theta2=ends[1], color=palette.BLACK, linestyle=style)
        )
    pair, dot = int(rows["pair"].iloc[0]), (q * np.conj(k)).real
    axes.set(xlim=(-1.5 * longest, 1.5 * longest), ylim=(-1.4 * longest, 1.4 * longest), aspect="equal")
    axes.set(xlabel=f"feature {2 * pair}", ylabel=f"feature {2 * pair + 1}", xticks=[0], yticks=[0])
    product = f"{dot:.3f}".replace("-", "−")
    axes.set_title(f"here and moved on: {abs(between):.0f}° apart,\nq·k = {product}", fontsize=10, loc="left")


def draw_scores(axes: Axes, scores: pd.DataFrame) -> None:
    for column, curve, size in (("sinusoidal", "sinusoidal_added", 12), ("rope", "rope_independent", 26)):
        look = CURVES[curve]
        axes.scatter(
            scores["distance"], scores[column], color=look.colour, marker=look.marker, s=size, linewidth=0,
            alpha=0.55 if column == "sinusoidal" else 1,
            label={"rope": "rotated", "sinusoidal": "sinusoids added"}[column],
        )  # fmt: skip
    by_distance = scores.groupby("distance")["by_distance"].first()
    axes.plot(by_distance.index, by_distance, color=palette.BLACK, linewidth=1)
    axes.set(xlabel="distance m − n (tokens)", ylabel="score over all features")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.25 * (high - low))
    axes.legend(loc="upper right", fontsize=plotting.SMALL_POINTS, borderaxespad=0.1)


def arrow(axes: Axes, x: float, y: float, colour, style: str = "-") -> None:
    look = {"arrowstyle": "-|>", "color": colour, "linewidth": 2, "linestyle": style, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x, y), (0, 0), arrowprops=look)


def read(arrows_file: Path, scores_file: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of llama2.rope_diagram.

    Raises ArtefactError when an arrow is missing, or an identity does not hold to the digits in the tables.
    """
    arrows, scores = tables.read_all([arrows_file, scores_file], TABLES)
    pairs_turning = arrows.loc[arrows["part"] == "turning", "pair"].nunique()
    identity = arrows[arrows["part"] != "turning"].set_index(["part", "vector"])
    wanted = {(part, vector) for part in ("here", "shifted") for vector in "qk"}
    if set(identity.index) != wanted or len(identity) != len(wanted) or not 1 <= pairs_turning <= MOST_PAIRS:
        raise ArtefactError(
            "arrows do not fit", file=arrows_file, pairs=pairs_turning,
            allowed=f"1 to {MOST_PAIRS} turning pairs, and q and k, here and shifted",
        )  # fmt: skip
    z = identity["x"] + 1j * identity["y"]
    here, shifted = (z[part, "q"] * np.conj(z[part, "k"]) for part in ("here", "shifted"))
    lengths = np.hypot(arrows["x"], arrows["y"]).groupby(
        [arrows["part"] == "turning", arrows["vector"], arrows["pair"]]
    )
    largest = scores["by_distance"].abs().max()
    of_arrows = {
        "a rotation keeps the length": lengths.agg(np.ptp).max() < 1e-7,
        "q and k moved on together keep product and angle": abs(here - shifted) < 1e-7,
    }
    difference = scores["query_position"] - scores["key_position"]
    of_scores = {
        "a rotated score is that of the distance alone": np.allclose(
            scores["rope"], scores["by_distance"], rtol=0, atol=1e-7 * largest
        ),
        "distance = query - key": (difference == scores["distance"]).all(),
    }
    tables.must_hold(arrows_file, of_arrows)
    tables.must_hold(scores_file, of_scores)
    return arrows, scores
