"""Bytes that the CUDA allocator hands out for a KV cache, beside the formula.

One K and one V tensor (batch 1, kv_heads, sequence, head_dim) per layer, float16, sequence 128 to 4096 in steps of
128, of the models that the llama2 post compares. `allocated_bytes` is the difference of torch.cuda.memory_allocated, as
posted; `reserved_bytes` that of memory_reserved, from an empty cache. The claim behind it: short sequences take 1 to
3 % more than the formula.
"""

from __future__ import annotations

import gc

import pandas as pd
import torch

from postproof.measuring import checkout
from postproof.measuring.timing import describe
from postproof.published import configurations, kv_cache


def measure(device: torch.device, tiny: bool) -> pd.DataFrame:
    names = checkout.params("llama2.kv_models")
    varied, *others = (
        configurations.read(checkout.root() / f"data/configurations/{name}.yaml")
        for name in (names["varied"], *names["compared"])
    )
    rows = []
    for model in kv_cache.compared(varied, others):
        for sequence in (128, 256) if tiny else range(128, 4096 + 1, 128):
            row = {"model": model.name, "layers": model.layers, "kv_heads": model.kv_heads, "head_dim": model.head_dim}
            row |= {"sequence": sequence, "batch": 1, "dtype": "float16"}
            row |= {"formula_bytes": kv_cache.kv_bytes(model, 1, sequence)}
            rows.append(row | allocate(model.layers, (1, model.kv_heads, sequence, model.head_dim), device))
    return pd.DataFrame(rows)


def allocate(layers: int, shape: tuple[int, ...], device: torch.device) -> dict:
    nothing = {"allocated_bytes": None, "reserved_bytes": None, "repeats": None}
    if device.type != "cuda":
        return nothing | {"note": "the CPU allocator keeps no count"}
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
    try:
        cache = [torch.empty(shape, dtype=torch.float16, device=device) for _ in range(2 * layers)]
    except torch.OutOfMemoryError as error:
        return nothing | {"note": describe(error)}
    after = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
    del cache
    return {"allocated_bytes": after[0] - before[0], "reserved_bytes": after[1] - before[1], "repeats": 1, "note": ""}
