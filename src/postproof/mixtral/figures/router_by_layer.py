"""What pooling hides. By layer: entropy, share of the busiest expert over both slots, share of the busiest first
choice, auxiliary loss, and how much the token tells of the expert. Even load and specialised experts are not opposites:
with the auxiliary loss the load is the most even and the token tells the most.
"""

from __future__ import annotations

import math

import matplotlib.pyplot as plt

from postproof.charts import plotting
from postproof.mixtral.figures import router_tables

TABLES = ("mixtral/router_by_layer", "mixtral/expert_usage")


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    layers_file, usage_file = args.tables
    layers = router_tables.read_layers(layers_file).query("protocol == 'paired'")
    trained, untrained = layers[layers["step"] > 0], layers[layers["step"] == 0]
    E = router_tables.read_usage(usage_file)["expert"].nunique()
    statistics = {  # column, label, level of even routing
        "entropy": ("entropy of choices\n(nats)", math.log(E), f"even routing: ln {E}"),
        "busiest_share": ("share of the busiest\nexpert, both slots", 1 / E, f"even routing: 1/{E}"),
        "busiest_share_slot1": ("share of the busiest\nfirst choice (top-1)", 1 / E, f"even routing: 1/{E}"),
        "aux_loss": ("auxiliary loss", 1, "even routing: 1"),
        "mutual_information_slot1": (
            "mutual information of\ntoken and first choice (nats)",
            math.log(E),
            f"largest: ln {E}",
        ),
    }
    names = ["all", *sorted(set(layers["layer"]) - {"all"}, key=int)]
    plotting.style()
    figure, grid = plt.subplots(
        len(statistics), len(names), figsize=(3.1 * len(names), 2.3 * len(statistics)), sharex=True, sharey="row"
    )
    for row, (column, (label, even, even_label)) in zip(grid, statistics.items()):
        for axes, name in zip(row, names):
            router_tables.draw(axes, trained[trained["layer"] == name], column)
            router_tables.draw_levels(axes, even, even_label, untrained.loc[untrained["layer"] == name, column])
        row[0].set(ylabel=label)
        handles, labels = row[0].get_legend_handles_labels()
        level = labels.index(even_label)
        row[0].legend([handles[level]], [even_label], fontsize=8)
    for axes, name in zip(grid[0], names):
        axes.set_title("all layers pooled" if name == "all" else f"layer {name}", fontsize=10)
    for axes in grid[-1]:
        axes.set(xlabel=router_tables.STEPS_LABEL)
    handles, labels = grid[0][0].get_legend_handles_labels()
    shown = [index for index, label in enumerate(labels) if "even" not in label]
    figure.legend(
        [handles[index] for index in shown],
        [labels[index] for index in shown],
        loc="outside lower center",
        ncols=len(shown),
        fontsize=10,
    )
    figure.suptitle("Routers by layer; both arms start from the same weights (thin: single seeds)", fontsize=12)
    plotting.save(figure, args.out_svg, args.out_png)
