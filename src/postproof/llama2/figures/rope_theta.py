"""What a larger base of the rates does: wavelength of each pair against the lengths of contexts, how much slower each
pair turns, and how many pairs turn less than once within a context.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.llama2.figures.axes import short
from postproof.llama2.looks import LOOKS

TABLES = ("llama2/rope_theta", "llama2/rope_theta_contexts")
BASES = (LOOKS["base"], LOOKS["larger_base"])


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    pairs, contexts = read(*args.tables)
    bases = sorted(set(pairs["base"]))
    looks = dict(zip(bases, BASES))
    plotting.style()
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14.5, 5), width_ratios=[1.25, 1, 1])
    draw_wavelengths(left, pairs, sorted(set(contexts["context_tokens"])), looks)
    draw_slowing(middle, pairs, bases, looks)
    draw_contexts(right, contexts, looks)
    figure.suptitle(
        f"A larger base leaves the fastest pair as it is and slows the slowest most ({2 * pairs['pair'].max() + 2:.0f} "
        "features per head)"
    )
    plotting.save(figure, args.out_svg, args.out_png)


def draw_wavelengths(axes: Axes, pairs: pd.DataFrame, contexts: list[int], looks: dict) -> None:
    for context in contexts:
        axes.axhline(context, color=palette.BLACK, linestyle=":", linewidth=1)
        axes.annotate(f"context {short(context)}", (0, context), xytext=(2, 2), textcoords="offset points", fontsize=8)
    for base, rows in pairs.groupby("base"):
        look = looks[base]
        axes.plot(
            rows["pair"], rows["wavelength_tokens"],
            color=look.colour, marker=look.marker, markersize=5, markevery=7, linewidth=2, label=f"base {base:,.0f}",
        )  # fmt: skip
    axes.set(yscale="log", xlabel="pair of features (0 is the fastest)", ylabel="wavelength: tokens for one full turn")
    axes.legend(loc="lower right")
    axes.set_title("wavelength of each pair (logarithmic axis)", fontsize=10)


def draw_slowing(axes: Axes, pairs: pd.DataFrame, bases: list[float], looks: dict) -> None:
    rates = pairs.pivot(index="pair", columns="base", values="frequency_rad_per_token")
    ends = []
    for base in bases[1:]:
        slower, look = rates[bases[0]] / rates[base], looks[base]
        axes.plot(slower.index, slower, color=look.colour, marker=look.marker, markersize=5, markevery=7, linewidth=2)
        ends.append(f"base {base / bases[0]:g} times as large:\nslowest pair {slower.iloc[-1]:.1f} times slower")
    axes.text(0.03, 0.97, "\n".join(ends), transform=axes.transAxes, va="top", fontsize=9)
    axes.set(
        yscale="log", xlabel="pair of features (0 is the fastest)", ylabel="times slower than with the smaller base"
    )
    axes.set_yticks([1, 2, 5, 10, 20, 50])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.set_title(f"how much slower than with base {bases[0]:,.0f}", fontsize=10)


def draw_contexts(axes: Axes, contexts: pd.DataFrame, looks: dict) -> None:
    lengths = sorted(set(contexts["context_tokens"]))
    width = 0.8 / len(looks)
    for index, (base, rows) in enumerate(contexts.groupby("base")):
        counts = rows.set_index("context_tokens")["pairs_longer"].reindex(lengths)
        xs = np.arange(len(lengths)) + (index - (len(looks) - 1) / 2) * width
        bars = axes.bar(
            xs,
            counts,
            width,
            color=looks[base].colour,
            edgecolor=palette.BLACK,
            linewidth=0.5,
            label=f"base {base:,.0f}",
        )
        axes.bar_label(bars, fontsize=9, padding=2)
    axes.set_xticks(range(len(lengths)), [short(length) for length in lengths])
    axes.grid(axis="x", visible=False)
    axes.set_axisbelow(True)
    axes.set(xlabel="context (tokens)", ylabel=f"pairs of {contexts['pairs'].iloc[0]:.0f}")
    axes.legend(loc="upper right")
    axes.set_ylim(0, 1.15 * contexts["pairs_longer"].max())
    axes.set_title("pairs that turn less than once within a context", fontsize=10)


def read(pairs_file: Path, contexts_file: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of llama2.rope_theta.

    Raises ArtefactError when one is not of its schema, they have other bases than two in both, or an identity does not
    hold.
    """
    pairs, contexts = tables.read_all([pairs_file, contexts_file], TABLES)
    bases = set(pairs["base"])
    if bases != set(contexts["base"]) or len(bases) != len(BASES):
        raise ArtefactError(
            "bases do not fit", file=contexts_file, found=sorted(contexts["base"].unique()),
            allowed=f"{len(BASES)}, those of {pairs_file}: {sorted(bases)}",
        )  # fmt: skip
    counted = [
        (pairs.loc[pairs["base"] == row.base, "wavelength_tokens"] > row.context_tokens).sum() == row.pairs_longer
        for row in contexts.itertuples()
    ]
    rates = pairs["base"] ** (-pairs["pair"] / pairs.groupby("base")["pair"].transform("size"))
    products = pairs["wavelength_tokens"] * pairs["frequency_rad_per_token"]
    of_pairs = {
        "rate = base^(-2 pair / d)": np.allclose(pairs["frequency_rad_per_token"], rates),
        "wavelength x rate = 2 pi": np.allclose(products, 2 * np.pi),
    }
    tables.must_hold(pairs_file, of_pairs)
    tables.must_hold(contexts_file, {"pairs_longer counts the longer wavelengths": all(counted)})
    return pairs, contexts
