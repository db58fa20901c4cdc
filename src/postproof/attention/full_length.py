"""Uniform causal attention in a sentence that fills every position: the scale that the posted thresholds stand on."""

from __future__ import annotations

import math


def diagonal(positions: int, reach: int) -> float:
    """Mean over the rows of the share within `reach` of the diagonal: row i spreads over i + 1 keys."""
    return math.fsum(min(reach + 1, keys) / keys for keys in range(1, positions + 1)) / positions


def entropy(positions: int) -> float:
    """Mean over the rows, nats: ln(T!) / T, the largest that a causal head can have."""
    return math.fsum(math.log(keys) for keys in range(1, positions + 1)) / positions
