"""Each expert's share of the choices in the windows between checkpoints, untrained model first, without (above) and
with (below) the auxiliary loss, on one colour scale with white for an even share: all layers pooled, and the layer that
ends least even; the smallest seed.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.colors import TwoSlopeNorm

from postproof.charts import plotting
from postproof.charts.plotting import percent
from postproof.mixtral.figures import router_tables
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/expert_usage",)
SHARES = "RdBu_r"  # white is an even share


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    usage = router_tables.read_usage(*args.tables)
    experts = usage["expert"].nunique()
    # Which expert is which differs from seed to seed, so a mean over seeds would show nothing.
    seed = usage["seed"].min()
    usage = usage[(usage["seed"] == seed) & (usage["protocol"] == "paired")]
    panels = pooled_and_layers(usage)
    least_even = least_even_layer(panels)
    names = ["all", least_even]
    arms = sorted(usage["arm"].unique())
    largest = max(panels[arm, name].to_numpy().max() for arm in arms for name in names)
    norm = TwoSlopeNorm(1 / experts, vmin=0, vmax=max(largest, 2 / experts))
    plotting.style()
    figure, grid = plt.subplots(
        len(arms), len(names), figsize=(plotting.COLUMN, 1.8 + 2.6 * len(arms)), sharex=True, sharey=True, squeeze=False
    )
    for row, arm in zip(grid, arms):
        for axes, name in zip(row, names):
            shares = panels[arm, name]
            image = axes.imshow(shares, norm=norm, cmap=SHARES, aspect="auto", interpolation="nearest")
            axes.grid(False)
            axes.set_xticks(range(len(shares.columns)), shares.columns)
            steps = ["untrained" if step == 0 else f"{step:,}" for step in shares.index]
            axes.set_yticks(range(len(steps))[::2], steps[::2], size=9)
        row[0].set(ylabel=f"{LOOKS[arm].long}\n{router_tables.STEPS_LABEL}")
    for axes, name in zip(grid[0], names):
        axes.set_title("all layers pooled" if name == "all" else f"layer {name}", fontsize=10)
    for axes in grid[-1]:
        axes.set(xlabel="expert")
    ticks = [0, 0.5 / experts, 1 / experts, 2 / experts]
    bar = figure.colorbar(image, ax=grid, shrink=0.9, ticks=ticks, label="share of the choices, both slots")
    bar.ax.set_yticklabels([plotting.percent(tick, 1) for tick in ticks], size=9)
    plotting.headed(
        figure,
        says(panels, least_even, experts),
        f"Share of the expert choices between checkpoints, seed {seed}, same initial weights in both arms. White: even "
        f"routing, 1/{experts}; red above, blue below. Shown: all layers pooled, and the layer that ends least even.",
        plotting.source(TABLES, "The text of params.yaml."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def least_even_layer(panels: dict[tuple[str, str], pd.DataFrame]) -> str:
    """The layer whose busiest expert ends with the largest share without the auxiliary loss."""
    ends = {name: shares.iloc[-1].max() for (arm, name), shares in panels.items() if arm == "no_aux" and name != "all"}
    return max(ends, key=ends.__getitem__)


def says(panels: dict[tuple[str, str], pd.DataFrame], layer: str, experts: int) -> str:
    """Busiest and quietest expert of that layer at the end, with and without the auxiliary loss."""
    without, aux = (panels[arm, layer].iloc[-1] for arm in ("no_aux", "with_aux"))

    def span(shares: pd.Series) -> str:
        return f"{percent(shares.min())} to {percent(shares.max())}"

    nearer = aux.max() - aux.min() < without.max() - without.min()
    return (
        f"In layer {layer} the experts end with {span(without)} of the choices without the auxiliary loss, "
        f"{'and still' if nearer else 'and even'} {span(aux)} with it (even: {percent(1 / experts, 1)})"
    )


def pooled_and_layers(usage: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """By arm and layer (`all` first, whose shares are the mean of the layers'): shares, windows by experts."""
    panels = {}
    for arm, of_arm in usage.groupby("arm"):
        panels[arm, "all"] = of_arm.groupby(["step", "expert"])["share"].mean().unstack()
        for layer, of_layer in of_arm.groupby("layer"):
            panels[arm, str(layer)] = of_layer.pivot(index="step", columns="expert", values="share")
    return panels
