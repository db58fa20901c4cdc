"""Validation perplexity with and without the auxiliary loss: all seeds over the steps, the last checkpoint under both
protocols, and the difference within each seed.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import palette, plotting
from postproof.mixtral.figures import router_tables
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/router_balance",)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    balance = router_tables.read_balance(*args.tables)
    last = balance[balance["step"] == balance["step"].max()]
    plotting.style()
    figure, panels = plt.subplots(1, 3, figsize=(14, 4.6), width_ratios=[1.25, 1, 1.1])
    paired = balance[balance["protocol"] == "paired"]
    router_tables.draw(panels[0], paired, "val_perplexity_fixed_windows")
    panels[0].set(xlabel=router_tables.STEPS_LABEL, ylabel="validation perplexity (whole split)", yscale="log")
    panels[0].yaxis.set_major_formatter("{x:g}")
    panels[0].yaxis.set_minor_formatter("{x:g}")
    panels[0].set_title("same initial weights in both arms", fontsize=10)
    panels[0].legend(fontsize=9)
    draw_last(panels[1], last)
    draw_differences(panels[2], last)
    figure.suptitle(
        "Does the auxiliary loss cost quality? Perplexity of all seeds, and differences within a seed", fontsize=12
    )
    plotting.save(figure, args.out_svg, args.out_png)


COLUMNS = {"val_perplexity": "windows drawn anew", "val_perplexity_fixed_windows": "whole split"}


def draw_last(axes: Axes, last: pd.DataFrame) -> None:
    """The last checkpoint's perplexities, one mark per run, by arm and protocol."""
    positions = {}
    for protocol, of_protocol in last.groupby("protocol"):
        for arm, runs in of_protocol.groupby("arm"):
            x = len(positions)
            positions[f"{LOOKS[arm].short}\n{protocol.replace('_', ' ')}"] = x
            look = LOOKS[arm]
            spread = [(index - (len(runs) - 1) / 2) * 0.08 for index in range(len(runs))]
            axes.scatter(
                [x + shift for shift in spread],
                runs["val_perplexity"],
                color=look.colour,
                marker=look.marker,
                s=28,
            )
            axes.hlines(runs["val_perplexity"].mean(), x - 0.3, x + 0.3, color=look.colour, linewidth=1.5)
    axes.set_xticks(list(positions.values()), list(positions), fontsize=8)
    axes.set(ylabel="validation perplexity (windows drawn anew)")
    axes.set_title("at the last checkpoint (line: mean)", fontsize=10)


def draw_differences(axes: Axes, last: pd.DataFrame) -> None:
    """With the auxiliary loss minus without, one mark per seed, by protocol and by how it was validated."""
    labels = []
    for protocol, of_protocol in last.groupby("protocol"):
        for column, name in COLUMNS.items():
            arms = of_protocol.pivot(index="seed", columns="arm", values=column)
            difference = arms["with_aux"] - arms["no_aux"]
            x = len(labels)
            labels.append(f"{protocol.replace('_', ' ')}\n{name}")
            axes.scatter([x] * len(difference), difference, color=LOOKS["with_aux"].colour, alpha=0.8, s=28)
            axes.hlines(difference.mean(), x - 0.25, x + 0.25, color=palette.BLACK, linewidth=1.5)
    axes.axhline(0, color=palette.DARK_GREY, linestyle=":", linewidth=1.3)
    axes.set_xticks(range(len(labels)), labels, fontsize=8)
    axes.set(ylabel="perplexity, with aux minus without")
    axes.set_title("difference within a seed (line: mean; above 0: worse)", fontsize=10)
