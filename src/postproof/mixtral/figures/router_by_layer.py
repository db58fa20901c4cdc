"""What pooling hides, at the last checkpoint: entropy of the expert choices, and how much the token tells of the chosen
expert, by layer and pooled over the layers, all seeds and their means. An imbalance of one layer escapes an auxiliary
loss over the rows of all layers, as posted, if another evens it out. Even load and specialised experts are not
opposites.
"""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from postproof.charts import plotting
from postproof.mixtral.figures import rerun_marks, router_tables
from postproof.mixtral.figures.rerun_marks import fixed
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/router_by_layer", "mixtral/expert_usage")
ARMS = {"no_aux": -0.14, "with_aux": 0.14}
PANELS = {
    "entropy": "entropy of expert choices (nats)",
    "mutual_information": "mutual information of token\nand chosen expert (nats)",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    layers_file, usage_file = args.tables
    layers = router_tables.read_layers(layers_file).query("protocol == 'paired'")
    experts = router_tables.read_usage(usage_file)["expert"].nunique()
    last, untrained = layers[layers["step"] == layers["step"].max()], layers[layers["step"] == 0]
    names = ["all", *sorted(set(layers["layer"]) - {"all"}, key=int)]
    plotting.style()
    figure, panels = plt.subplots(1, len(PANELS), figsize=(plotting.COLUMN, 4.7))
    for axes, (column, label) in zip(panels, PANELS.items()):
        draw(axes, last, untrained, column, names)
        axes.set(ylabel=label)
    even = LOOKS["even"]
    panels[0].axhline(math.log(experts), color=even.colour, linestyle=even.line, linewidth=1.2)
    label, at = f"{even.long}: ln {experts} = {fixed(math.log(experts), 3)}", (len(names) - 0.55, math.log(experts))
    panels[0].annotate(label, at, (0, 3), textcoords="offset points", ha="right", color=even.colour,
                       size=plotting.SMALL_POINTS)  # fmt: skip
    panels[0].legend(handles=handles(), loc="lower left", fontsize=plotting.SMALL_POINTS)
    before, end = sorted(layers["step"].unique())[-2:]
    plotting.headed(
        figure,
        says(last, names, experts),
        f"Steps {before + 1} to {end}, auxiliary loss over the rows of all layers as posted, "
        f"{rerun_marks.of_seeds(last['seed'].nunique())}: single marks, and lines for their means.",
        plotting.source(TABLES, "The text of params.yaml."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def draw(axes: Axes, last: pd.DataFrame, untrained: pd.DataFrame, column: str, names: list[str]) -> None:
    for place, name in enumerate(names):
        for arm, shift in ARMS.items():
            look = LOOKS[arm]
            values = last.loc[(last["arm"] == arm) & (last["layer"] == name), column]
            axes.plot([place + shift] * len(values), values, look.marker, color=look.colour, alpha=0.6, markersize=4.5)
            axes.hlines(values.mean(), place + shift - 0.12, place + shift + 0.12, color=look.colour, linewidth=1.8)
        level = untrained.loc[untrained["layer"] == name, column].mean()
        look = LOOKS["untrained"]
        axes.hlines(level, place - 0.35, place + 0.35, color=look.colour, linestyle=look.line, linewidth=1.2)
    axes.set_xticks(range(len(names)), ["pooled" if name == "all" else f"layer {name}" for name in names], size=9)
    axes.grid(axis="x", visible=False)


def handles() -> list[Line2D]:
    arms = [Line2D([], [], color=LOOKS[arm].colour, marker=LOOKS[arm].marker, label=LOOKS[arm].long) for arm in ARMS]
    look = LOOKS["untrained"]
    return [*arms, Line2D([], [], color=look.colour, linestyle=look.line, label=f"{look.long} (mean)")]


def says(last: pd.DataFrame, names: list[str], experts: int) -> str:
    """How far from even the least even layer is, against all layers pooled; and whether the token tells more or less
    of the expert where the auxiliary loss evens the load.
    """
    means = last.groupby(["arm", "layer"])[list(PANELS)].mean()
    short = math.log(experts) - means.loc["with_aux", "entropy"]
    layer = short.drop("all").idxmax()
    seen = f"With the auxiliary loss routers look {fixed(short['all'], 2)} nats short of even, pooled; "
    if short[layer] > short["all"]:
        seen += f"layer {layer} alone is {fixed(short[layer], 2)} short"
    else:
        seen += "no layer alone is shorter"
    told = means["mutual_information"].drop("all", level="layer").unstack("arm")
    more = (told["with_aux"] > told["no_aux"]).sum()
    most = "every layer" if more == len(told) else f"{more} of {len(told)} layers" if more else "no layer"
    return f"{seen}, and in {most} the token tells more of the expert than without"
