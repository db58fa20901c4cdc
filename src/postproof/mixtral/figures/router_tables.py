"""What the charts of the router balance share: reading their tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import tables

STEPS_LABEL = "optimiser steps"


def read_balance(path: Path) -> pd.DataFrame:
    """Losses and pooled statistics. Raises ArtefactError when they are not of their schema, or break an identity."""
    balance = tables.read(path, "mixtral/router_balance")
    is_exp = np.allclose(np.exp(balance["val_loss"]), balance["val_perplexity"], rtol=1e-6, equal_nan=True)
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
