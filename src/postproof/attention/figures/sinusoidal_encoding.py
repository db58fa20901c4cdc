"""The sinusoidal encoding of positions, sines and cosines apart, and the wavelength of each pair of dimensions."""

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
FASTEST, SLOWEST = LOOKS["fastest"], LOOKS["slowest"]


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, waves = tables.read_all(args.tables, TABLES)
    check(table, waves, *args.tables)
    plotting.style()
    figure, panels = plt.subplot_mosaic(
        [["sine", "wave"], ["cosine", "length"]], figsize=(13.5, 7), width_ratios=[1.25, 1]
    )
    for parity, name in enumerate(("sine", "cosine")):
        image = draw_heatmap(panels[name], table[table["dimension"] % 2 == parity], name)
    both = [panels["sine"], panels["cosine"]]
    figure.colorbar(image, ax=both, pad=0.02, shrink=0.6, label="value added to the embedding")
    draw_ends(panels["wave"], table, waves)
    draw_lengths(panels["length"], waves)
    base = waves["turns_in_base"].iloc[0] * waves["wavelength_positions"].iloc[0]
    figure.suptitle(f"Sinusoidal positions: {table['dimension'].max() + 1} dimensions, base {base:,.0f}")
    plotting.save(figure, args.out_svg, args.out_png)


def draw_heatmap(axes: Axes, table: pd.DataFrame, name: str):
    """Sines and cosines apart: side by side they would be stripes."""
    value_TP = table.pivot(index="position", columns="dimension", values="value").to_numpy()
    first, last, positions = table["dimension"].min(), table["dimension"].max(), len(value_TP)
    image = axes.imshow(value_TP, aspect="auto", interpolation="nearest", cmap="RdBu_r", vmin=-1, vmax=1,
                        extent=(first - 1, last + 1, positions - 0.5, -0.5))  # fmt: skip
    axes.grid(visible=False)
    axes.set(xlabel=f"dimension ({first}, {first + 2} .. {last})", ylabel="position (tokens)")
    axes.set_title(f"{name}s: only the first dimensions turn within {positions} positions", fontsize=10)
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
                  label=f"dimension {wave['sine_dimension']:.0f}: "
                        f"one cycle in {wave['wavelength_positions']:,.2f} positions")  # fmt: skip
    length = first["wavelength_positions"]
    axes.annotate("", (0, -1.18), (length, -1.18), arrowprops={"arrowstyle": "<->", "color": FASTEST.colour})
    axes.text(length / 2, -1.25, f"{length:.2f}", color=FASTEST.colour, ha="center", va="top", fontsize=9)
    axes.set(xlabel="position (tokens)", ylabel="value", ylim=(-1.6, 1.75))
    axes.legend(loc="upper right", fontsize=9)
    axes.set_title("fastest and slowest sine", fontsize=10)


def draw_lengths(axes: Axes, waves: pd.DataFrame) -> None:
    base = waves["turns_in_base"].iloc[0] * waves["wavelength_positions"].iloc[0]
    within = int((waves["wavelength_positions"] <= base).sum())
    axes.plot(waves["sine_dimension"], waves["wavelength_positions"], color=palette.BLACK, linewidth=2)
    axes.axhline(base, color=palette.DARK_GREY, linestyle="--", linewidth=1)
    axes.annotate(f"within {base:,.0f} positions {within} of {len(waves)}\npairs turn at least once",
                  (0, base), (2, 4), textcoords="offset points", fontsize=9)  # fmt: skip
    ends = [(waves.iloc[0], FASTEST, (10, -2), "left"), (waves.iloc[-1], SLOWEST, (-8, 4), "right")]
    for wave, look, offset, side in ends:
        place = wave["sine_dimension"], wave["wavelength_positions"]
        axes.plot(*place, color=look.colour, marker=look.marker, markersize=7)
        axes.annotate(f"{wave['wavelength_positions']:,.2f}", place, offset, textcoords="offset points", fontsize=9,
                      ha=side, color=look.colour)  # fmt: skip
    axes.set(yscale="log", xlabel="dimension of the sine", ylabel="positions (logarithmic)")
    axes.set_ylim(top=4 * waves["wavelength_positions"].max())
    axes.set_title("wavelength: positions for one full cycle", fontsize=10)


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
