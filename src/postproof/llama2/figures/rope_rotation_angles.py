"""Angle by which each pair of features is turned at each position, modulo a full turn on a cyclic colour scale; a line
marks where each pair has made its first full turn, crosses the angles that the post writes out.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes

from postproof.charts import palette, plotting, posted_marks
from postproof.core import tables
from postproof.core.errors import ArtefactError

TABLES = ("llama2/rope_angles", "llama2/posted_rope_angles")
TURN = 2 * np.pi


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(args.tables[0])
    posted = beside_ours(tables.read(args.tables[1], TABLES[1]), table)
    angle_PT = table.pivot(index="pair", columns="position", values="angle_mod_2pi_rad").to_numpy()
    pairs, positions = angle_PT.shape
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 5.6))
    # Twilight begins and ends with one colour, as 0 and 2 pi are one angle: no false edge where a turn is complete.
    image = axes.imshow(
        angle_PT, origin="lower", aspect="auto", interpolation="nearest", cmap="twilight", vmin=0, vmax=TURN
    )
    axes.grid(visible=False)
    axes.set(xlabel="position (tokens)", ylabel="pair of features (0 is the fastest)")
    bar = figure.colorbar(image, ax=axes, pad=0.02, ticks=[0, TURN / 4, TURN / 2, 3 * TURN / 4, TURN])
    bar.ax.set_yticklabels(["0", "π/2", "π", "3π/2", "2π"])
    bar.set_label("angle (rad, modulo 2π)")
    draw_first_turn(axes, table, positions, pairs)
    draw_posted(axes, posted, pairs)
    plotting.headed(
        figure,
        says(table, posted),
        f"Angle by which a pair is turned: position × rate, {pairs} pairs at {positions:,} positions. Dashed: a pair "
        "has made its first full turn. The fastest pairs turn by so much from one token to the next that their stripes "
        "are too fine to follow.",
        plotting.source(TABLES, "Rates by the formula; no model, no seeds. Crosses: the post's text."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def draw_first_turn(axes: Axes, table: pd.DataFrame, positions: int, pairs: int) -> None:
    """At which position a pair has turned once, as far as that lies within the positions shown."""
    rate = table[table["position"] == 1].set_index("pair")["angle_rad"]
    turned_once = TURN / rate
    seen = turned_once[turned_once <= positions - 0.5]
    outline = [patheffects.withStroke(linewidth=3.2, foreground=palette.WHITE)]
    axes.plot(seen, seen.index, color=palette.BLACK, linestyle="--", linewidth=1.4, path_effects=outline)
    axes.set(xlim=(-0.5, positions - 0.5), ylim=(-0.5, pairs - 0.5))


def draw_posted(axes: Axes, posted: pd.DataFrame, pairs: int) -> None:
    """The post's angles where they are: a pair in the lower half has its number above."""
    for row in posted.itertuples():
        posted_marks.mark(axes, [row.position], [row.pair], on_colours=True, clip_on=False)
        side = 12 if row.pair < pairs / 2 else -12
        posted_marks.beside(axes, f"the post: {row.angle_rad_posted:g} rad", row.position, row.pair, (0, side),
                            on_colours=True, ha="center")  # fmt: skip


def beside_ours(posted: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The post's angles that are in the table, each with its row there."""
    return posted.merge(table, on=["position", "pair"], suffixes=("_posted", ""))


def says(table: pd.DataFrame, posted: pd.DataFrame) -> str:
    """How many pairs turn once within the positions, how far the slowest gets, and how near the post's angles come."""
    if posted.empty:
        return turned(table)
    off = (posted["angle_rad_posted"] / posted["angle_rad"] - 1).abs().max()
    return f"{turned(table)}; the post's angles are off by {plotting.percent(off, 1)} at most"


def turned(table: pd.DataFrame) -> str:
    last = table[table["position"] == table["position"].max()].sort_values("pair")
    turns, positions = last["angle_rad"] / TURN, table["position"].nunique()
    more = int((turns >= 1).sum())
    if more == len(turns):
        return f"All {more} pairs of features make a full turn within {positions:,} positions"
    of = f"Of {len(turns)} pairs of features {more if more else 'none'} make{'s' if more <= 1 else ''} a full turn"
    return f"{of} within {positions:,} positions; the slowest makes {turns.min():.2g} of a turn"


def read(path: Path) -> pd.DataFrame:
    """The table of llama2.rope_angles.

    Raises ArtefactError when a cell of the grid is missing, or an angle is not position times rate or its remainder.
    """
    table = tables.read(path, TABLES[0])
    positions, pairs = sorted(set(table["position"])), sorted(set(table["pair"]))
    if positions != list(range(max(len(positions), 2))) or pairs != list(range(len(pairs))):
        raise ArtefactError("positions and pairs do not count from 0", file=path)
    at_1 = table[table["position"] == 1].set_index("pair")["angle_rad"].to_dict()
    turns = (table["angle_rad"] - table["angle_mod_2pi_rad"]) / TURN
    identities = {
        "one row per position and pair": len(table) == len(positions) * len(pairs) == len(positions) * len(at_1),
        "angle = position x rate": np.allclose(table["angle_rad"], table["position"] * table["pair"].map(at_1)),
        "the remainder is off by full turns": np.allclose(turns, turns.round(), atol=1e-6),
        "the remainder is within a turn": table["angle_mod_2pi_rad"].between(0, TURN).all(),
    }
    tables.must_hold(path, identities)
    return table
