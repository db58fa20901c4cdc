"""Tabulate the KV cache of the posted models over the sequence: the formula, and what the CUDA allocator would say.

The post sees 1.010 times the formula for GPT-2 XL at 128 tokens, and lays it to the allocator's rounding. Each K and V
is 25 x 128 x 64 x 2 = 409,600 bytes there, 800 times 512, so rounding adds nothing, and small blocks are always split.
One tensor more of the same size alive, 97 in place of 96, would give 1.0104; at 4,096 tokens too, where the post sees
1.000. So the table has both.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from postproof.core import settings, tables
from postproof.llama2.settings import KvCacheMemory
from postproof.published import configurations, kv_cache
from postproof.published.caching_allocator import allocate
from postproof.published.configurations import Configuration

BATCH = 1


def add_arguments(parser) -> None:
    parser.add_argument("--varied", type=Path, required=True, help="YAML of the model that is varied in its KV heads")
    parser.add_argument("--beside", type=Path, nargs="+", required=True, help="YAML of the models beside it")
    parser.add_argument("--settings", required=True, help="params section llama2.kv_cache_memory, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per model and sequence")


def main(args) -> None:
    memory = settings.parse(KvCacheMemory, args.settings)
    models = kv_cache.compared(configurations.read(args.varied), configurations.read_all(args.beside).values())
    sequences = range(memory.sequence_step, memory.longest_sequence + 1, memory.sequence_step)
    rows = [row(model, sequence) for model in models for sequence in sequences]
    tables.write(args.out, pd.DataFrame(rows), "llama2/kv_cache_memory")


def row(model: Configuration, sequence: int) -> dict:
    """Bytes of one sequence's cache, by the formula, and as memory_allocated() and memory_reserved() would say."""
    tensors_bytes = kv_cache.tensor_bytes(model, BATCH, sequence)
    formula = kv_cache.kv_bytes(model, BATCH, sequence)
    allocated, reserved = allocate(tensors_bytes)
    labels = {"model": model.name, "attention": kv_cache.attention(model), "layers": model.layers}
    labels |= {"kv_heads": model.kv_heads, "head_dim": model.head_dim, "batch": BATCH, "sequence": sequence}
    return labels | {
        "tensors": len(tensors_bytes),
        "tensor_bytes": tensors_bytes[0],
        "formula_bytes": formula,
        "allocated_bytes": allocated,
        "reserved_bytes": reserved,
        "allocated_ratio": allocated / formula,
        "reserved_ratio": reserved / formula,
        "one_tensor_more_ratio": (len(tensors_bytes) + 1) / len(tensors_bytes),
    }
