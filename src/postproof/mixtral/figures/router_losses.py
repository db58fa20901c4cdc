"""What the auxiliary loss balances. Left as posted: one loss over the rows of all layers together, which an imbalance
of one layer escapes if another evens it out. Right as Fedus et al. describe it: a loss of each layer, summed, with
three times the weight in total here. Entropy of the expert choices by layer at the last checkpoint, all seeds.
"""

from __future__ import annotations

import math

import matplotlib.pyplot as plt

from postproof.charts import plotting
from postproof.mixtral.figures import router_tables
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/router_by_layer", "mixtral/expert_usage")


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    layers_file, usage_file = args.tables
    layers = router_tables.read_layers(layers_file)
    experts = router_tables.read_usage(usage_file)["expert"].nunique()
    last = layers[layers["step"] == layers["step"].max()]
    names = sorted(set(last["layer"]) - {"all"}, key=int)
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(9, 4.4), sharey=True)
    for axes, (protocol, title) in zip(panels, router_tables.PROTOCOL_TITLES.items()):
        for shift, arm in [(-0.12, "no_aux"), (0.12, "with_aux")]:
            look = LOOKS[arm]
            of_arm = last[(last["protocol"] == protocol) & (last["arm"] == arm)]
            for place, name in enumerate(names):
                values = of_arm.loc[of_arm["layer"] == name, "entropy"]
                label = look.long if place == 0 else None
                axes.plot([place + shift] * len(values), values, look.marker, color=look.colour, alpha=0.8, label=label)
        axes.axhline(math.log(experts), color=LOOKS["even"].colour, linestyle=LOOKS["even"].line,
                     label=f"even routing: ln {experts}")  # fmt: skip
        axes.set_xticks(range(len(names)), [f"layer {name}" for name in names])
        axes.set_title(title, fontsize=10)
    panels[0].set(ylabel="entropy of expert choices (nats)")
    panels[0].legend(fontsize=9)
    figure.suptitle("The two ways to write the auxiliary loss, layer by layer, after training", fontsize=11)
    plotting.save(figure, args.out_svg, args.out_png)
