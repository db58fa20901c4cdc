"""Tabulate the KV cache of the posted models over the sequence: the formula, and what the CUDA allocator would say.

The post sees 1.010 times the formula for GPT-2 XL at 128 tokens, and lays it to the allocator's rounding. Each K and V
is 25 x 128 x 64 x 2 = 409,600 bytes there, 800 times 512, so rounding adds nothing, and small blocks are always split.
One tensor more of the same size alive, 97 in place of 96, would give 1.0104; at 4,096 tokens too, where the post sees
1.000. So the table has both.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd

from postproof import configurations, files, sections
from postproof.caching_allocator import allocate
from postproof.configurations import Configuration
from postproof.errors import ParamsError
from postproof.llama2 import kv_cache
from postproof.llama2.kv_cache import GB, GIB

BATCH = 1


@dataclasses.dataclass(frozen=True)
class KvCacheMemory:
    sequence_step: int
    longest_sequence: int

    def __post_init__(self):
        kv_cache.check_counts("llama2.kv_cache_memory", **dataclasses.asdict(self))
        if self.sequence_step > self.longest_sequence:
            raise ParamsError(
                "value is not allowed", key="llama2.kv_cache_memory.sequence_step", value=self.sequence_step,
                allowed=f"at most longest_sequence ({self.longest_sequence})",
            )  # fmt: skip


def add_arguments(parser) -> None:
    parser.add_argument("--configurations", type=Path, nargs="+", required=True, help="YAML of the published models")
    parser.add_argument("--settings", required=True, help="params section llama2.kv_cache_memory, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per model and sequence")


def main(args) -> None:
    settings = sections.parse(KvCacheMemory, args.settings)
    models = kv_cache.posted_models(configurations.read_all(args.configurations))
    sequences = range(settings.sequence_step, settings.longest_sequence + 1, settings.sequence_step)
    rows = [row(model, sequence) for model in models.values() for sequence in sequences]
    files.write_csv(args.out, pd.DataFrame(rows))


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
        "formula_gb": formula / GB,
        "formula_gib": formula / GIB,
        "allocated_bytes": allocated,
        "reserved_bytes": reserved,
        "allocated_ratio": allocated / formula,
        "reserved_ratio": reserved / formula,
        "one_tensor_more_ratio": (len(tensors_bytes) + 1) / len(tensors_bytes),
    }
