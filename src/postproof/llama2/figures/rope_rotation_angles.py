"""Angle by which each pair of features is turned at each position, modulo a full turn on a cyclic colour scale, and the
turns that each pair has made by the last position.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.llama2.looks import CURVES

TABLES = ("llama2/rope_angles",)
TURN = 2 * np.pi


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(*args.tables)
    angle_PT = table.pivot(index="pair", columns="position", values="angle_mod_2pi_rad").to_numpy()
    pairs, positions = angle_PT.shape
    plotting.style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.6), width_ratios=[1.9, 1], sharey=True)
    # Twilight begins and ends with one colour, as 0 and 2 pi are one angle: no false edge where a turn is complete.
    image = left.imshow(
        angle_PT, origin="lower", aspect="auto", interpolation="nearest", cmap="twilight", vmin=0, vmax=TURN
    )
    left.grid(visible=False)
    left.set(xlabel="position (tokens)", ylabel="pair of features (0 is the fastest)")
    left.set_title("angle (rad, modulo 2π) = position × rate of the pair", fontsize=10)
    bar = figure.colorbar(image, ax=left, pad=0.02, ticks=[0, TURN / 4, TURN / 2, 3 * TURN / 4, TURN])
    bar.ax.set_yticklabels(["0", "π/2", "π", "3π/2", "2π"])

    last = table[table["position"] == positions - 1].sort_values("pair")
    turns = last["angle_rad"] / TURN
    right.plot(turns, last["pair"], color=CURVES["rope_independent"].colour, linewidth=2)
    right.axvline(1, color=palette.BLACK, linestyle="--", linewidth=1)
    more = int((turns >= 1).sum())
    right.annotate(
        f"one turn: {more} of {pairs}\npairs make more",
        (1, pairs * 0.8), xytext=(-6, 0), textcoords="offset points", fontsize=9, ha="right", va="center",
    )  # fmt: skip
    right.set(xscale="log", xlabel=f"turns at position {positions - 1} (logarithmic axis)", ylim=(-0.5, pairs - 0.5))
    right.set_title("turns of each pair by the last position", fontsize=10)
    figure.suptitle(f"RoPE turns each of {pairs} pairs of features at its own rate, from {rates(last)} rad per token")
    plotting.save(figure, args.out_svg, args.out_png)


def rates(last: pd.DataFrame) -> str:
    rate = last["angle_rad"] / last["position"]
    return f"{rate.iloc[0]:.3g} down to {rate.iloc[-1]:.2g}"


def read(path: Path) -> pd.DataFrame:
    """The table of llama2.rope_angles.

    Raises ArtefactError when a cell of the grid is missing, or an angle is not position times rate or its remainder.
    """
    table = tables.read(path, *TABLES)
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
