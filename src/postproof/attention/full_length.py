"""Uniform causal attention in a sentence that fills every position: the scale that the posted thresholds stand on."""

from __future__ import annotations

import numpy as np


def diagonal(positions: int, reach: int) -> float:
    """Mean over the rows of the share within `reach` of the diagonal: row i spreads over i + 1 keys."""
    keys_T = np.arange(1, positions + 1)
    return (np.minimum(reach + 1, keys_T) / keys_T).mean()


def entropy(positions: int) -> float:
    """Mean over the rows, nats: ln(T!) / T, the largest that a causal head can have."""
    return np.log(np.arange(1, positions + 1)).mean()
