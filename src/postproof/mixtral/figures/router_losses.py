"""What the auxiliary loss balances. Left as posted: one loss over the rows of all layers together, which an imbalance
of one layer escapes if another evens it out. Right as Fedus et al. describe it: a loss of each layer, summed, with
three times the weight in total here. Entropy of the expert choices by layer at the last checkpoint, all seeds.
"""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import plotting
from postproof.mixtral.figures import rerun_marks, router_tables
from postproof.mixtral.figures.rerun_marks import fixed
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/router_by_layer", "mixtral/expert_usage")
TITLES = {"paired": "one loss over all layers, as posted", "by_layer": "a loss of each layer, summed"}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    layers_file, usage_file = args.tables
    layers = router_tables.read_layers(layers_file)
    experts = router_tables.read_usage(usage_file)["expert"].nunique()
    last = layers[layers["step"] == layers["step"].max()]
    names = sorted(set(last["layer"]) - {"all"}, key=int)
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(plotting.COLUMN, 4.5), sharey=True)
    for axes, (protocol, title) in zip(panels, TITLES.items()):
        for shift, arm in [(-0.14, "no_aux"), (0.14, "with_aux")]:
            look = LOOKS[arm]
            of_arm = last[(last["protocol"] == protocol) & (last["arm"] == arm)]
            for place, name in enumerate(names):
                values = of_arm.loc[of_arm["layer"] == name, "entropy"]
                label = look.long if place == 0 else None
                axes.plot([place + shift] * len(values), values, look.marker, color=look.colour, alpha=0.6, label=label)
                axes.hlines(values.mean(), place + shift - 0.13, place + shift + 0.13, color=look.colour, linewidth=1.8)
        axes.axhline(math.log(experts), color=LOOKS["even"].colour, linestyle=LOOKS["even"].line)
        axes.annotate(f"even routing: ln {experts} = {fixed(math.log(experts), 3)}",
                      (len(names) - 0.65, math.log(experts)), (0, 3), textcoords="offset points", ha="right",
                      color=LOOKS["even"].colour, size=plotting.SMALL_POINTS)  # fmt: skip
        axes.set_xticks(range(len(names)), [f"layer {name}" for name in names])
        axes.set_title(title, fontsize=9, pad=14)
        axes.grid(axis="x", visible=False)
    panels[0].set(ylabel="entropy of expert choices (nats)")
    panels[0].legend(fontsize=plotting.SMALL_POINTS, loc="lower left")
    plotting.headed(
        figure,
        says(last, names, experts),
        "Entropy of the expert choices by layer at the last checkpoint, "
        f"{rerun_marks.of_seeds(last['seed'].nunique())}: "
        "single marks, and lines for their means. Runs without it are the same in both panels.",
        plotting.source(TABLES, "The text of params.yaml."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(last: pd.DataFrame, names: list[str], experts: int) -> str:
    """How far the least even layer is from even routing, under either way to write the loss."""
    with_aux = last[(last["arm"] == "with_aux") & last["layer"].isin(names)]
    entropy = with_aux.groupby(["protocol", "layer"])["entropy"].mean()
    short = {protocol: math.log(experts) - entropy[protocol].min() for protocol in TITLES}
    text = {protocol: fixed(value, 2) for protocol, value in short.items()}
    seen = f"One auxiliary loss over all layers, as posted, leaves the least even layer {text['paired']} nats short"
    seen += " of even"
    also = "a loss of each layer" + ("" if short["by_layer"] < short["paired"] else " no less")
    return f"{seen}; {also}: {text['by_layer']}"
