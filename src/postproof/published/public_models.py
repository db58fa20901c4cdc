"""Tabulate public configurations: norm, KV heads, rope base, context, and what follows for weights and cache."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from postproof.core import tables
from postproof.published import configurations, kv_cache
from postproof.published.configurations import Configuration


def add_arguments(parser) -> None:
    parser.add_argument("--configurations", type=Path, nargs="+", required=True, help="YAML of the published models")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per model")


def main(args) -> None:
    models = configurations.read_all(args.configurations)
    tables.write(args.out, pd.DataFrame([row(c) for c in models.values()]), "published/public_models")


def row(c: Configuration) -> dict:
    return {
        "model": c.name,
        "released": c.released,
        "norm": c.norm,
        "has_rmsnorm": int(c.norm == "rmsnorm"),
        "attention": kv_cache.attention(c),
        "layers": c.layers,
        "hidden_size": c.hidden_size,
        "heads": c.heads,
        "kv_heads": c.kv_heads,
        "head_dim": c.head_dim,
        "group": c.heads // c.kv_heads,
        "positions": "learned" if c.learned_positions else "rope",
        "has_rope": int(c.rope_base is not None),
        "rope_base": c.rope_base,  # empty without rotary positions
        "context": c.context,
        "parameters": configurations.parameters(c),
        "ffn_matrices": c.ffn_matrices,
        "kv_bytes_per_token": kv_cache.kv_bytes(c, batch=1, sequence=1),
    }
