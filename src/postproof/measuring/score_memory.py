"""Peak bytes and time of one multi-head attention layer against sequence length: quadratic against linear.

d_model 512, 8 heads, no bias, batch 1, float32, no gradient, causal, training mode (dropout 0.1 on the weights), as
posted. `plain` has scores and weights in memory, and a boolean (n, n) mask made beforehand; `plain_all_kept` holds on
to every intermediate, as code does that names each one; `sdpa` is scaled_dot_product_attention with the same dropout,
without a mask. Bytes are the CUDA allocator's: `held_bytes` before a forward pass (parameters, input, mask),
`peak_bytes` during and `after_bytes` after it, with the output alive. Not in them, but beside, is `workspace_bytes`,
which cuBLAS takes from the same allocator at its first product and the posted measurement will have counted.
"""

from __future__ import annotations

import math

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from postproof.measuring.timing import Budget, side_by_side

BUDGET_SECONDS = 60
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


@torch.no_grad()
def measure(device: torch.device, tiny: bool) -> pd.DataFrame:
    budget = Budget(BUDGET_SECONDS)
    longest = 128 if tiny else 32768 if device.type == "cuda" else 4096
    workspace = workspace_bytes(device)
    rows = []
    sequence = 64
    while sequence <= longest:
        makers = {how: lambda h=how: make(h, sequence, device) for how in ("sdpa", "plain", "plain_all_kept")}
        results = side_by_side(makers, device, budget, repeats=20, limit_seconds=3)
        for how, result in results.items():
            labels = {"attention": how, "sequence": sequence, "d_model": D_MODEL, "heads": HEADS, "batch": 1}
            labels |= {"parameter_bytes": 4 * 4 * D_MODEL**2, "mask_bytes": 0 if how == "sdpa" else sequence**2}
            labels |= {"scores_formula_bytes": 4 * HEADS * sequence**2, "workspace_bytes": workspace}
            rows.append(labels | result)
        sequence *= 2
    return pd.DataFrame(rows)


def make(how: str, sequence: int, device: torch.device):
    with device:
        layer = MultiHeadAttention(D_MODEL, HEADS)
        x_BTD = torch.randn(1, sequence, D_MODEL)
        future_TT = None if how == "sdpa" else torch.ones(sequence, sequence, dtype=torch.bool).triu(diagonal=1)
    return torch.no_grad()(lambda: layer(x_BTD, how, future_TT))


def workspace_bytes(device: torch.device) -> int | None:
    """What the first product of a process takes from the allocator beyond its result."""
    if device.type != "cuda":
        return None
    x = torch.randn(64, 64, device=device)
    clear = getattr(torch._C, "_cuda_clearCublasWorkspaces", None)
    if clear is None:
        return None
    clear()
    before = torch.cuda.memory_allocated(device)
    y = x @ x
    taken = torch.cuda.memory_allocated(device) - before
    del y
    return taken - 64 * 64 * 4
