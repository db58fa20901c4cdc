"""What a larger base of the rates does: wavelength of each pair against the lengths of contexts, and how many pairs
turn less than once within a context. Crosses: what the post's angles come to, which it gives at one position.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import palette, plotting, posted_marks
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.llama2.figures.axes import plain_log, short
from postproof.llama2.looks import LOOKS

TABLES = ("llama2/rope_theta", "llama2/rope_theta_contexts", "llama2/posted_rope_angles")
BASES = (LOOKS["base"], LOOKS["larger_base"])


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    pairs, contexts = read(*args.tables[:2])
    posted = tables.read(args.tables[2], TABLES[2])
    posted = posted[posted["base"].isin(pairs["base"]) & posted["pair"].isin(pairs["pair"])]
    bases = sorted(set(pairs["base"]))
    looks = dict(zip(bases, BASES))
    plotting.style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(plotting.COLUMN, 4.8), width_ratios=[1.1, 1])
    draw_wavelengths(left, pairs, sorted(set(contexts["context_tokens"])), looks)
    if len(posted):
        posted_marks.mark(left, posted["pair"], one_turn(posted))
        left.legend(handles=[*left.get_legend_handles_labels()[0], posted_marks.handle("the post's angles")],
                    loc="lower right", fontsize=plotting.SMALL_POINTS)  # fmt: skip
    draw_contexts(right, contexts, looks)
    plotting.headed(
        figure,
        says(contexts),
        f"Left: tokens for one full turn of each of {pairs['pair'].nunique()} pairs, dotted: contexts. Right: pairs "
        f"that make less than one turn within a context.{as_posted(posted, pairs)}",
        plotting.source(TABLES, "Rates by the formula; no model, no seeds. Crosses: the post's text."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def one_turn(posted: pd.DataFrame) -> pd.Series:
    """Tokens for a full turn, by the angle at a position."""
    return 2 * np.pi * posted["position"] / posted["angle_rad"]


def as_posted(posted: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """How near the post's angles come, as tokens for one turn."""
    if posted.empty:
        return ""
    both = posted.merge(pairs[["base", "pair", "wavelength_tokens"]], on=["base", "pair"])
    off = (one_turn(both) / both["wavelength_tokens"] - 1).abs().max()
    return f" Crosses: by the post's angles, off by {plotting.percent(off, 1)} at most."


def says(contexts: pd.DataFrame) -> str:
    """Pairs that turn less than once, with either base, in the context where they differ most."""
    small, large = sorted(set(contexts["base"]))
    counts = contexts.pivot(index="context_tokens", columns="base", values="pairs_longer")
    context = (counts[large] - counts[small]).idxmax()
    one, other = counts.loc[context, small], counts.loc[context, large]
    of = f"of {contexts['pairs'].iloc[0]:,} pairs short of one turn in {context:,} tokens"
    if one == other:
        return f"A base of {large:,.0f} leaves as many {of} as one of {small:,.0f}, {one:,}"
    return f"A base of {large:,.0f} leaves {other:,} {of}; with {small:,.0f} it is {one if one else 'none'}"


def draw_wavelengths(axes: Axes, pairs: pd.DataFrame, contexts: list[int], looks: dict) -> None:
    for context in contexts:
        axes.axhline(context, color=palette.BLACK, linestyle=":", linewidth=1)
        axes.annotate(short(context), (0, context), xytext=(2, 2), textcoords="offset points",
                      size=plotting.SMALL_POINTS)  # fmt: skip
    for base, rows in pairs.groupby("base"):
        look = looks[base]
        axes.plot(
            rows["pair"], rows["wavelength_tokens"],
            color=look.colour, marker=look.marker, markersize=5, markevery=7, linewidth=2, label=f"base {base:,.0f}",
        )  # fmt: skip
    axes.set(yscale="log", xlabel="pair (0 is the fastest)", ylabel="tokens for one turn (log)")
    plain_log(axes.yaxis)
    axes.legend(loc="lower right", fontsize=plotting.SMALL_POINTS)


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
        axes.bar_label(bars, fontsize=plotting.SMALL_POINTS, padding=2)
    axes.set_xticks(range(len(lengths)), [short(length) for length in lengths])
    axes.grid(axis="x", visible=False)
    axes.set_axisbelow(True)
    axes.set(xlabel="context (tokens)", ylabel=f"pairs of {contexts['pairs'].iloc[0]:.0f}")
    axes.set_ylim(0, 1.15 * max(contexts["pairs_longer"].max(), 1))


def read(pairs_file: Path, contexts_file: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of llama2.rope_theta.

    Raises ArtefactError when one is not of its schema, they have other bases than two in both, or an identity does not
    hold.
    """
    pairs, contexts = tables.read_all([pairs_file, contexts_file], TABLES[:2])
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
