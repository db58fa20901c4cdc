"""Parameters of Mixtral 8x7B: all of them, those that work for one token, and two readings of its name that are
neither.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import palette, plotting
from postproof.mixtral.figures import parameter_table
from postproof.mixtral.figures.parameter_table import COUNTS, MODEL
from postproof.mixtral.figures.rerun_marks import fixed
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/parameters",)
SHARED_COLOUR = LOOKS["shared"].colour  # of what every token uses, in every model
EXPERTS_COLOUR = LOOKS["moe"].colour
BILLION = 1e9


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = parameter_table.read(*args.tables).loc[MODEL]
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 4.6))
    draw_sums(axes, table)
    experts, chosen = counts(table)
    held = table.loc["all", "bytes_16bit"] / BILLION
    plotting.headed(
        figure,
        says(table),
        f"Parameters of Mixtral 8x7B, which holds {experts} experts a layer ({held:,.1f} GB in all at 2 bytes "
        "a parameter) "
        f"and computes each token with {chosen}. Hatched: readings of the name that are neither.",
        plotting.source(TABLES, "Counted from the published sizes."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def counts(table: pd.DataFrame) -> tuple[int, int]:
    """Experts of a layer, and how many of them work for a token."""
    total, active, one = (table.loc["experts", column] for column in COUNTS)
    return round(total / one), round(active / one)


def says(table: pd.DataFrame) -> str:
    total, active = (table.loc["all", column] for column in COUNTS[:2])
    return (
        f"Mixtral 8x7B has {fixed(total / BILLION, 1)} billion parameters, of which "
        f"{fixed(active / BILLION, 1)} billion "
        f"({plotting.percent(active / total)}) work for a token"
    )


def draw_sums(axes: Axes, table: pd.DataFrame) -> None:
    """Total and active, and below them two readings of the model's name that are neither."""
    total, active, one = (table[column].drop("all") for column in COUNTS)
    experts, chosen = counts(table)
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
    axes.legend(loc="center right", bbox_to_anchor=(1, 0.46), fontsize=plotting.SMALL_POINTS)
