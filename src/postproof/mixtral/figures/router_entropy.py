"""Entropy of the expert choices with and without the auxiliary loss, pooled over both slots, all layers and the 25
steps before each checkpoint, against even routing and the untrained routers. Left as posted: the arms start from
different weights; right from the same.
"""

from __future__ import annotations

import math

import matplotlib.pyplot as plt

from postproof.charts import plotting
from postproof.mixtral.figures import router_tables

TABLES = ("mixtral/router_balance", "mixtral/router_by_layer", "mixtral/expert_usage")


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    balance_file, layers_file, usage_file = args.tables
    balance, layers = router_tables.read_balance(balance_file), router_tables.read_layers(layers_file)
    experts = router_tables.read_usage(usage_file)["expert"].nunique()
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True)
    for axes, (protocol, title) in zip(panels, router_tables.PROTOCOL_TITLES.items()):
        untrained = (layers["protocol"] == protocol) & (layers["step"] == 0) & (layers["layer"] == "all")
        router_tables.draw(axes, balance[balance["protocol"] == protocol], "entropy")
        even = f"even routing: ln {experts} = {math.log(experts):.4f}"
        router_tables.draw_levels(axes, math.log(experts), even, layers.loc[untrained, "entropy"])
        axes.set(xlabel=router_tables.STEPS_LABEL)
        axes.set_title(title, fontsize=10)
    panels[0].set(ylabel="entropy of expert choices (nats)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    figure.suptitle(
        "Router entropy, pooled over slots, layers and the steps since the last checkpoint (thin: single seeds)",
        fontsize=11,
    )
    plotting.save(figure, args.out_svg, args.out_png)
