"""Reading attention weights of our own models while they run.

Shapes: B batch, T time, D d_model, H query heads, G key-value heads, R = H / G, d head dimension.

The models themselves give no weights away: their layers never need them whole. While a model is read, each attention
layer mixes values by a function of this module, `mix`, which computes the same and hands the weights on. A test holds
the logits of both against each other.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from postproof.attention.heads.sources import Visit
from postproof.core.linalg import matmul


def causal_weights(q_BHTd: Tensor, k_BGTd: Tensor, real_BT: Tensor | None) -> Tensor:
    """softmax(q k^T / sqrt(d)) over keys up to the query's position, and among these the real ones; (B, H, T, T)."""
    B, H, T, d = q_BHTd.shape
    G = k_BGTd.shape[1]
    # Query head h goes with key-value head h // R: the queries of a group are rows of one product (llama2/gqa.py).
    scores_BHTT = matmul(q_BHTd.reshape(B, G, -1, d) / math.sqrt(d), k_BGTd.mT).view(B, H, T, T)
    hidden = torch.ones(T, T, dtype=torch.bool, device=q_BHTd.device).triu(diagonal=1)
    if real_BT is not None:
        hidden = hidden | ~real_BT[:, None, None]
    return scores_BHTT.masked_fill(hidden, -math.inf).softmax(dim=-1)


def mixed(weights_BHTT: Tensor, v_BGTd: Tensor) -> Tensor:
    """Values by weights, heads side by side: (B, T, H d)."""
    B, H, T, _ = weights_BHTT.shape
    G, d = v_BGTd.shape[1], v_BGTd.shape[3]
    y_BHTd = matmul(weights_BHTT.view(B, G, -1, T), v_BGTd).view(B, H, T, d)
    return y_BHTd.transpose(1, 2).reshape(B, T, H * d)


@contextlib.contextmanager
def weights_handed_on(model, real_BT: Tensor | None, visit: Visit) -> Iterator[None]:
    """Inside it the attention layers of `model.blocks` hide keys that are not real, and hand their weights on."""

    def mix(q_BHTd: Tensor, k_BGTd: Tensor, v_BGTd: Tensor) -> Tensor:
        weights_BHTT = causal_weights(q_BHTd, k_BGTd, real_BT)
        visit(weights_BHTT)
        return mixed(weights_BHTT, v_BGTd)

    layers = [block.attention for block in model.blocks]
    try:
        for attention in layers:
            attention.mix = mix
        yield
    finally:
        for attention in layers:
            attention.mix = None
