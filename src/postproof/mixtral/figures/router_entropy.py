"""Entropy of the expert choices with and without the auxiliary loss, pooled over both slots, all layers and the 25
steps before each checkpoint, on the post's text with its draws: the post's checkpoints as crosses, the same runs made
again as lines, other seeds thin, against even routing and the untrained routers.
"""

from __future__ import annotations

import math

import matplotlib.pyplot as plt

from postproof.charts import plotting
from postproof.core import tables
from postproof.mixtral.figures import rerun_marks, router_tables

TABLES = (
    "mixtral/router_balance_as_run",
    "mixtral/router_by_layer_as_run",
    "mixtral/expert_usage_as_run",
    "mixtral/router_balance_reruns",
)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    balance_file, layers_file, usage_file, reruns_file = args.tables
    balance, layers = router_tables.read_balance(balance_file), router_tables.read_layers(layers_file)
    experts = router_tables.read_usage(usage_file)["expert"].nunique()
    reruns = tables.read(reruns_file, "mixtral/router_balance_reruns")
    plotting.style()
    figure, axes = plt.subplots(figsize=(7.2, 5))
    rerun_marks.spread(axes, balance, "step", "entropy")
    rerun_marks.draw(axes, reruns, "step", "entropy")
    untrained = layers.loc[(layers["step"] == 0) & (layers["layer"] == "all"), "entropy"]
    even = f"even routing: ln {experts} = {math.log(experts):.4f}"
    router_tables.draw_levels(axes, math.log(experts), even, untrained)
    axes.set(xlabel=router_tables.STEPS_LABEL, ylabel="entropy of expert choices (nats)")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    seeds = balance["seed"].nunique()
    title = f"Router entropy over slots, layers and 25 steps, the post's text (thin: {seeds} seeds; band: ± 1 sd)"
    figure.suptitle(title, fontsize=10)
    plotting.save(figure, args.out_svg, args.out_png)
