"""The two ceilings of a device: rate of square matrix products, and of copies within its memory.

Products of random n x n matrices in float32 (TF32 off and on), bfloat16 and float64: 2 n^3 FLOPs. Copies of random
bytes count each byte twice, read and written; small ones stay in a cache. For charts that show a share of what is
possible.
"""

from __future__ import annotations

import pandas as pd
import torch

from postproof.measuring.timing import Batch, Budget, batch, side_by_side

BUDGET_SECONDS = 40
PRECISIONS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}


@torch.no_grad()
def measure(device: torch.device, tiny: bool) -> pd.DataFrame:
    budget = Budget(BUDGET_SECONDS)
    cuda = device.type == "cuda"
    sizes = (64,) if tiny else (1024, 2048, 4096, 8192) if cuda else (512, 1024, 2048)
    copy_mib = (1,) if tiny else (16, 256, 1024, 4096) if cuda else (16, 256)
    rows = []
    for n in sizes:
        makers = {precision: lambda p=precision: product(n, p, device) for precision in PRECISIONS}
        if not cuda:
            makers.pop("tf32")
        for precision, result in side_by_side(makers, device, budget, repeats=15, limit_seconds=3).items():
            flops, seconds = 2 * n**3, result["median_seconds"]
            rate = {"flop_per_second": flops / seconds if seconds else None}
            rows.append({"what": "product", "precision": precision, "n": n, "flops": flops} | rate | result)
    makers = {mib: lambda m=mib: copy(m * 2**20, device) for mib in copy_mib}
    for mib, result in side_by_side(makers, device, budget, repeats=15, limit_seconds=3).items():
        moved, seconds = 2 * mib * 2**20, result["median_seconds"]
        rate = {"bytes_per_second": moved / seconds if seconds else None}
        rows.append({"what": "copy", "copied_mib": mib, "moved_bytes": moved} | rate | result)
    return pd.DataFrame(rows)


def product(n: int, precision: str, device: torch.device) -> Batch:
    """Enough products in a row that launching them is no part of the time."""
    a, b = torch.randn(2, n, n, device=device).to(PRECISIONS[precision])
    out = torch.empty_like(a)
    calls = max(1, min(50, int(1e12 // (2 * n**3)))) if device.type == "cuda" else 1

    def multiply():
        torch.mm(a, b, out=out)

    repeated = batch(multiply, calls)

    def with_setting():
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        repeated()
        torch.set_float32_matmul_precision("highest")

    return Batch(with_setting, calls)


def copy(size: int, device: torch.device) -> Batch:
    source = torch.randint(256, (size,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return batch(lambda: target.copy_(source), 10 if device.type == "cuda" else 1)
