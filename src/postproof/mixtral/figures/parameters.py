"""Parameters of Mixtral 8x7B term by term: all of them, and those that work for one token."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import palette, plotting
from postproof.mixtral.figures import parameter_table
from postproof.mixtral.figures.parameter_table import COUNTS, MODEL
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/parameters",)
SHARED_COLOUR = LOOKS["shared"].colour  # of what every token uses, in every model
EXPERTS_COLOUR = LOOKS["moe"].colour
BILLION = 1e9


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = parameter_table.read(*args.tables)
    plotting.style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.8), width_ratios=[1, 1])
    draw_sums(left, table.loc[MODEL])
    draw_terms(right, table.loc[MODEL])
    plotting.save(figure, args.out_svg, args.out_png)


def draw_sums(axes: Axes, table: pd.DataFrame) -> None:
    """Total and active, and below them two readings of the model's name that are neither."""
    total, active, one = (table[column].drop("all") for column in COUNTS)
    experts, chosen = (round(column["experts"] / one["experts"]) for column in (total, active))
    bars = {
        f"total:\nall {experts} experts": total,
        f"active for a token:\n{chosen} of {experts} experts": active,
        f"not {chosen}/{experts} of the total": total * chosen / experts,
        f"not {experts} × {one.sum() / BILLION:.1f}: models\nof one expert each": one * experts,
    }
    for y, (label, terms) in enumerate(bars.items()):
        shared, in_experts = terms.drop("experts").sum() / BILLION, terms["experts"] / BILLION
        look = {"height": 0.62, "edgecolor": palette.BLACK, "linewidth": 0.5}
        look |= {"alpha": 0.45, "hatch": "////"} if label.startswith("not") else {}
        axes.barh(y, shared, color=SHARED_COLOUR, label=None if y else "shared: all but the experts", **look)
        axes.barh(y, in_experts, left=shared, color=EXPERTS_COLOUR, label=None if y else "experts", **look)
        plotted = shared + in_experts
        axes.annotate(f"{plotted:.1f}", (plotted, y), xytext=(5, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(bars)), bars)
    axes.invert_yaxis()
    axes.set(xlabel="parameters (10⁹)", xlim=(0, 1.15 * max(terms.sum() for terms in bars.values()) / BILLION))
    axes.grid(axis="y", visible=False)
    axes.set_axisbelow(True)
    axes.legend(loc="center right", bbox_to_anchor=(1, 0.46))
    held = table.loc["all", "bytes_16bit"] / BILLION
    axes.set_title(
        f"Mixtral 8x7B holds {experts} experts a layer ({held:.1f} GB in all, at 2 bytes a parameter)\n"
        f"and computes each token with {chosen}",
        fontsize=10,
    )


def draw_terms(axes: Axes, table: pd.DataFrame) -> None:
    terms = table.drop("all").sort_values("total", kind="stable", ascending=False)
    ys = range(len(terms))
    fewest = 10.0 ** math.floor(math.log10(terms["total"].min()))
    colours = [EXPERTS_COLOUR if group == "experts" else SHARED_COLOUR for group in terms["group"]]
    axes.hlines(ys, fewest, terms["active"], color=palette.BLACK, alpha=0.15, linewidth=1)
    axes.hlines(ys, terms["active"], terms["total"], color=colours, linewidth=2)
    axes.scatter(
        terms["total"], ys, s=90, color=colours, edgecolor=palette.BLACK, linewidth=0.5, label="total", zorder=2
    )
    axes.scatter(
        terms["active"], ys, s=22, color=palette.WHITE, edgecolor=palette.BLACK, label="active for a token", zorder=3
    )
    for y, (total, active) in enumerate(zip(terms["total"], terms["active"])):
        text = in_words(total) if total == active else f"{in_words(total)}, active {in_words(active)}"
        axes.text(1.6 * total, y, text, va="center", fontsize=9)
    axes.set_yticks(ys, [term.replace("_", " ") for term in terms.index])
    axes.invert_yaxis()
    axes.set(
        xscale="log",
        xlabel="parameters (logarithmic axis)",
        xlim=(fewest, 1e3 * terms["total"].max()),  # with room for the text
    )
    axes.minorticks_off()
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right")
    axes.set_title("Term by term: what is not an expert works for every token", fontsize=10)


def in_words(parameters: float) -> str:
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if parameters >= size:
            return f"{parameters / size:.3g} {name}"
    return f"{parameters:,.0f}"
