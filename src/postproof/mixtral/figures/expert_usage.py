"""Each expert's share of the choices in the windows between checkpoints, untrained model first, by layer, without
(above) and with (below) the auxiliary loss, on one colour scale; the smallest seed.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import palette, plotting
from postproof.mixtral.figures import router_tables
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/expert_usage",)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    usage = router_tables.read_usage(*args.tables)
    experts = usage["expert"].nunique()
    # Which expert is which differs from seed to seed, so a mean over seeds would show nothing.
    seed = usage["seed"].min()
    usage = usage[(usage["seed"] == seed) & (usage["protocol"] == "paired")]
    panels = pooled_and_layers(usage)
    largest = max(panel.to_numpy().max() for panel in panels.values())
    arms = sorted(usage["arm"].unique())
    names = list(dict.fromkeys(name for _, name in panels))
    plotting.style()
    figure, grid = plt.subplots(
        len(arms), len(names), figsize=(3.1 * len(names) + 1, 3.4 * len(arms)), sharex=True, sharey=True
    )
    for row, arm in zip(grid, arms):
        for axes, name in zip(row, names):
            shares = panels[arm, name]
            image = axes.imshow(shares, vmin=0, vmax=largest, cmap="viridis", aspect="auto", interpolation="nearest")
            axes.grid(False)
            axes.set_xticks(range(len(shares.columns)), shares.columns)
            axes.set_yticks(range(len(shares.index)), ["untrained" if step == 0 else step for step in shares.index])
        row[0].set(ylabel=f"{LOOKS[arm].long}\n{router_tables.STEPS_LABEL}")
    for axes, name in zip(grid[0], names):
        axes.set_title("all layers pooled" if name == "all" else f"layer {name}", fontsize=10)
    for axes in grid[-1]:
        axes.set(xlabel="expert")
    bar = figure.colorbar(image, ax=grid, shrink=0.8, label="share of the choices (both slots)")
    bar.ax.axhline(1 / experts, color=palette.WHITE, linewidth=2)
    bar.ax.text(-0.15, 1 / experts, "even", ha="right", va="center", fontsize=9)
    figure.suptitle(
        f"Expert usage in each window of training, seed {seed}; same initial weights in both arms", fontsize=12
    )
    plotting.save(figure, args.out_svg, args.out_png)


def pooled_and_layers(usage: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """By arm and layer (`all` first, whose shares are the mean of the layers'): shares, windows by experts."""
    panels = {}
    for arm, of_arm in usage.groupby("arm"):
        panels[arm, "all"] = of_arm.groupby(["step", "expert"])["share"].mean().unstack()
        for layer, of_layer in of_arm.groupby("layer"):
            panels[arm, str(layer)] = of_layer.pivot(index="step", columns="expert", values="share")
    return panels
