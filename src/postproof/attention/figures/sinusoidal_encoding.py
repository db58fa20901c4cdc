"""The sinusoidal encoding of positions: the sines of the dimensions that turn within the positions that are drawn, the
fastest and the slowest of them, and the wavelength of each pair of dimensions. Cosines are a quarter of a turn ahead.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.attention.looks import LOOKS
from postproof.charts import palette, plotting
from postproof.core import tables

TABLES = ("attention/sinusoidal_encoding", "attention/sinusoidal_wavelengths")
TURNS_DRAWN = 1 / 10  # a wave that turns less than this within the positions is not drawn in the heatmap
FASTEST, SLOWEST = LOOKS["fastest"], LOOKS["slowest"]


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, waves = tables.read_all(args.tables, TABLES)
    check(table, waves, *args.tables)
    plotting.style()
    figure, panels = plt.subplot_mosaic([["sine", "sine"], ["wave", "length"]], figsize=(plotting.COLUMN, 7.6))
    positions = table["position"].max() + 1
    turning = waves[waves["wavelength_positions"] * TURNS_DRAWN <= positions]
    sines = table["dimension"].isin(turning["sine_dimension"] if len(turning) > 1 else waves["sine_dimension"])
    image = draw_heatmap(panels["sine"], table[sines], len(waves))
    figure.colorbar(image, ax=panels["sine"], pad=0.02, shrink=0.9, label="value added")
    draw_ends(panels["wave"], table, waves)
    draw_lengths(panels["length"], waves)
    base = waves["turns_in_base"].iloc[0] * waves["wavelength_positions"].iloc[0]
    plotting.headed(
        figure,
        says(waves, base),
        f"The value that is added to the embedding, {table['dimension'].max() + 1} dimensions, {positions} positions,"
        f" base {base:,.0f}; sines only, cosines are a quarter of a turn ahead.",
        plotting.source(TABLES, "The paper's formula, no model."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(waves: pd.DataFrame, base: float) -> str:
    """How long the fastest and the slowest wave are, and how many turn within as many positions as the base says."""
    first, last = waves.iloc[0]["wavelength_positions"], waves.iloc[-1]["wavelength_positions"]
    within = int((waves["wavelength_positions"] <= base).sum())
    turn = "all of them" if within == len(waves) else f"only {within} of {len(waves)}"
    return (
        f"The fastest of the {len(waves)} waves turns once in {first:,.1f} positions, the slowest in {last:,.0f}; "
        f"within {base:,.0f} positions {turn} make a full turn"
    )


def draw_heatmap(axes: Axes, table: pd.DataFrame, pairs: int):
    value_TP = table.pivot(index="position", columns="dimension", values="value").to_numpy()
    last, positions = table["dimension"].max(), len(value_TP)
    image = axes.imshow(value_TP, aspect="auto", interpolation="nearest", cmap="RdBu_r", vmin=-1, vmax=1,
                        extent=(-1, last + 1, positions - 0.5, -0.5))  # fmt: skip
    axes.grid(visible=False)
    axes.set(xlabel="dimension of the sine", ylabel="position (tokens)")
    drawn = value_TP.shape[1]
    rest = "" if drawn == pairs else f"; the other {pairs - drawn} hardly move within {positions} positions"
    axes.set_title(f"sines of {drawn} of {pairs} pairs{rest}", fontsize=10)
    return image


def draw_ends(axes: Axes, table: pd.DataFrame, waves: pd.DataFrame) -> None:
    """The sine of the first pair and that of the last, and the continuous wave that the first one samples."""
    first, last = waves.iloc[0], waves.iloc[-1]
    longest = min(table["position"].max(), 26)
    t = np.linspace(0, longest, 500)
    axes.plot(t, np.sin(first["rate_rad_per_position"] * t), color=FASTEST.colour, linewidth=1, alpha=0.6)
    for wave, look in ((first, FASTEST), (last, SLOWEST)):
        rows = table[(table["dimension"] == wave["sine_dimension"]) & (table["position"] <= longest)]
        axes.plot(rows["position"], rows["value"], color=look.colour, marker=look.marker, markersize=5, linestyle="",
                  label=f"dimension {wave['sine_dimension']:.0f}: {wave['wavelength_positions']:,.1f} positions",
                  )  # fmt: skip
    length = first["wavelength_positions"]
    axes.annotate("", (0, -1.18), (length, -1.18), arrowprops={"arrowstyle": "<->", "color": FASTEST.colour})
    axes.text(
        length / 2, -1.25, f"{length:.2f}", color=FASTEST.colour, ha="center", va="top", fontsize=plotting.SMALL_POINTS
    )
    axes.set(xlabel="position (tokens)", ylabel="value", ylim=(-1.6, 1.75))
    axes.legend(loc="upper right", fontsize=plotting.SMALL_POINTS)
    axes.set_title("fastest and slowest sine", fontsize=10)


def draw_lengths(axes: Axes, waves: pd.DataFrame) -> None:
    base = waves["turns_in_base"].iloc[0] * waves["wavelength_positions"].iloc[0]
    within = int((waves["wavelength_positions"] <= base).sum())
    axes.plot(waves["sine_dimension"], waves["wavelength_positions"], color=palette.BLACK, linewidth=2)
    axes.axhline(base, color=palette.DARK_GREY, linestyle="--", linewidth=1)
    axes.annotate(f"{base:,.0f} positions, in which\n{within} of {len(waves)} pairs turn",
                  (0, base), (2, 4), textcoords="offset points", fontsize=plotting.SMALL_POINTS)  # fmt: skip
    ends = [(waves.iloc[0], FASTEST, (10, -2), "left"), (waves.iloc[-1], SLOWEST, (-8, 4), "right")]
    for wave, look, offset, side in ends:
        place = wave["sine_dimension"], wave["wavelength_positions"]
        axes.plot(*place, color=look.colour, marker=look.marker, markersize=7)
        axes.annotate(f"{wave['wavelength_positions']:,.2f}", place, offset, textcoords="offset points",
                      fontsize=plotting.SMALL_POINTS, ha=side, color=look.colour)  # fmt: skip
    axes.set(yscale="log", xlabel="dimension of the sine", ylabel="positions (log)")
    axes.set_ylim(top=4 * waves["wavelength_positions"].max())
    axes.set_title("positions for one full cycle", fontsize=10)


def check(table: pd.DataFrame, waves: pd.DataFrame, path: Path, waves_path: Path) -> None:
    """Raises ArtefactError when a cell is missing, or values, rates and wavelengths do not belong together."""
    positions, dimensions = table["position"].max() + 1, table["dimension"].max() + 1
    whole = len(table) == positions * dimensions and not table.duplicated(["position", "dimension"]).any()
    tables.must_hold(path, {"each position and dimension once": whole and positions > 1})
    turned = waves["turns_in_base"] * waves["wavelength_positions"]
    even = waves["sine_dimension"].tolist() == list(range(0, 2 * len(waves), 2))
    cycles = waves["wavelength_positions"] * waves["rate_rad_per_position"]
    identities = {
        "wavelength x rate = 2 pi": np.allclose(cycles, 2 * np.pi),
        "one base for all waves": np.allclose(turned, turned.iloc[0]),
        "pairs are dimensions 2k and 2k + 1": even and (waves["cosine_dimension"] == waves["sine_dimension"] + 1).all(),
        "as many dimensions as waves have": dimensions == 2 * len(waves),
    }
    tables.must_hold(waves_path, identities)
    rates = np.repeat(waves["rate_rad_per_position"].to_numpy(), 2)
    angle = table["position"] * rates[table["dimension"].astype(int)]
    expected = np.where(table["dimension"] % 2 == 0, np.sin(angle), np.cos(angle))
    close = np.allclose(table["value"], expected, atol=1e-6)
    tables.must_hold(path, {"values are sin and cos of position x rate": close})
