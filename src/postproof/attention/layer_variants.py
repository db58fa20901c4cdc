"""The layer whose memory is modelled and measured, in the post's sizes: three ways to compute its attention.

d_model 512, 8 heads, no bias, batch 1, float32, no gradient, causal, training mode (dropout 0.1 on the weights).
`plain` has scores and weights in memory, and a boolean (n, n) mask made beforehand; `plain_all_kept` holds on to every
intermediate, as code does that names each one; `sdpa` is scaled_dot_product_attention with the same dropout, without a
mask. Shapes: B batch, T time, D d_model.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

VARIANTS = ("plain", "plain_all_kept", "sdpa")
D_MODEL, HEADS, DROPOUT = 512, 8, 0.1


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(d_model, d_model, bias=False) for _ in range(4))

    def forward(self, x_BTD: Tensor, how: str, future_TT: Tensor | None = None) -> Tensor:
        B, T, D = x_BTD.shape
        q, k, v = (project(x_BTD).view(B, T, self.heads, -1).transpose(1, 2) for project in (self.q, self.k, self.v))
        dropout = DROPOUT if self.training else 0.0
        if how == "sdpa":
            y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        else:
            raw = q @ k.mT
            scores = raw / math.sqrt(D // self.heads)
            if how == "plain":
                del raw
            masked = scores.masked_fill(future_TT, -math.inf)
            if how == "plain":
                del scores
            weights = masked.softmax(dim=-1)
            y = F.dropout(weights, dropout) @ v
        return self.out(y.transpose(1, 2).reshape(B, T, D))


def make(how: str, sequence: int, device: torch.device) -> Callable[[], Tensor]:
    """One forward pass of a variant: layer, input and mask are there, and each call gives an output."""
    with device:
        layer = MultiHeadAttention(D_MODEL, HEADS)
        x_BTD = torch.randn(1, sequence, D_MODEL)
        future_TT = None if how == "sdpa" else torch.ones(sequence, sequence, dtype=torch.bool).triu(diagonal=1)
    return torch.no_grad()(lambda: layer(x_BTD, how, future_TT))
