"""What the charts of the router balance share: reading their tables, and how the two arms are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.core import tables
from postproof.mixtral.looks import LOOKS

STEPS_LABEL = "optimiser steps"
PROTOCOL_TITLES = {
    "paired": "one loss over the rows of all layers, as posted",
    "by_layer": "a loss of each layer, summed",
}


def read_balance(path: Path) -> pd.DataFrame:
    """Losses and pooled statistics. Raises ArtefactError when they are not of their schema, or break an identity."""
    balance = tables.read(path, "mixtral/router_balance")
    is_exp = np.allclose(np.exp(balance["val_loss"]), balance["val_perplexity"], rtol=1e-6)
    tables.must_hold(path, {"perplexity is exp(loss)": is_exp})
    return balance


def read_layers(path: Path) -> pd.DataFrame:
    """Statistics by layer. Raises ArtefactError when they are not of their schema, or break an identity."""
    layers = tables.read(path, "mixtral/router_by_layer").astype({"layer": str})
    # The busiest of all experts has at least exp(-entropy) of the choices.
    least_busiest = np.exp(-layers["entropy"])
    is_busiest = (layers["busiest_share"] >= least_busiest * (1 - 1e-6)).all()
    tables.must_hold(path, {"the busiest share is at least exp(-entropy)": is_busiest})
    return layers


def read_usage(path: Path) -> pd.DataFrame:
    """Shares of each expert. Raises ArtefactError when they are not of their schema, or break an identity."""
    usage = tables.read(path, "mixtral/expert_usage")
    sums = usage.groupby(["arm", "protocol", "seed", "step", "layer"])["share"].sum()
    tables.must_hold(path, {"shares of a layer sum to 1": np.allclose(sums, 1, atol=1e-6)})
    return usage


def draw(axes: Axes, table: pd.DataFrame, y: str) -> None:
    """Per arm: every seed as a thin line over the steps, their mean with markers."""
    for arm, runs in table.groupby("arm", sort=True):
        look = LOOKS[arm]
        for _, run in runs.groupby("seed"):
            axes.plot(run["step"], run[y], color=look.colour, linewidth=0.7, alpha=0.45)
        mean = runs.groupby("step")[y].mean()
        label = f"{look.long}: mean of {runs['seed'].nunique()} seeds"
        axes.plot(mean, color=look.colour, marker=look.marker, markersize=4, linewidth=1.8, label=label)


def draw_levels(axes: Axes, even: float, even_label: str, untrained: pd.Series) -> None:
    """Two levels to hold the curves against: even routing, and the routers before training (mean of the runs drawn)."""
    axes.axhline(even, color=LOOKS["even"].colour, linestyle=LOOKS["even"].line, linewidth=1.3, label=even_label)
    look = LOOKS["untrained"]
    axes.axhline(untrained.mean(), color=look.colour, linestyle=look.line, linewidth=1.1, label=f"{look.long} (mean)")
