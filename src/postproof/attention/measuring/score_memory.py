"""Peak bytes and time of one multi-head attention layer against sequence length: quadratic against linear.

The layer and its variants are those of postproof.attention.layer_variants. Bytes are the CUDA allocator's: `held_bytes`
before a forward pass (parameters, input, mask), `peak_bytes` during and `after_bytes` after it, with the output alive.
Not in them, but beside, is `workspace_bytes`, which cuBLAS takes from the same allocator at its first product and the
posted measurement will have counted.
"""

from __future__ import annotations

import pandas as pd
import torch

from postproof.attention.layer_variants import D_MODEL, HEADS, make
from postproof.measuring.timing import Budget, side_by_side

BUDGET_SECONDS = 60


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
