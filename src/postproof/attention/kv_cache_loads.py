"""Tabulate KV caches of long contexts beside the weights: as published, and with as many KV heads as heads.

    cache = users x context x 2 x layers x kv_heads x head_dim x 2 bytes

(postproof.published.kv_cache, which has the source). The model with all its KV heads is one that nobody published: its
projections to K and V are larger too, so it has more weights than the published one. `tokens_that_weigh_as_much` is
where the two meet:

    weights / (cache of one token), all users' tokens together

Left out: activations, the runtime, what allocators round and paging wastes.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from postproof.attention.settings import KvCacheLoads
from postproof.core import settings, tables
from postproof.published import configurations, kv_cache
from postproof.published.configurations import Configuration


def add_arguments(parser) -> None:
    parser.add_argument("--configurations", type=Path, nargs="+", required=True, help="YAML of the published models")
    parser.add_argument("--settings", required=True, help="params section attention.kv_cache_loads, as JSON")
    parser.add_argument(
        "--out", type=Path, required=True, help="tidy CSV, one row per model, attention, context and users"
    )


def main(args) -> None:
    """Raises DataError when a model's file was not handed over."""
    section = settings.parse(KvCacheLoads, args.settings)
    published = configurations.read_all(args.configurations)
    chosen = [configurations.choose(published, name) for name in section.models]
    rows = [
        row(model, variant, context, users)
        for model in chosen
        for variant in dict.fromkeys((model, kv_cache.with_kv_heads(model, "mha")))
        for context in section.contexts
        for users in section.users
    ]
    tables.write(args.out, pd.DataFrame(rows), "attention/kv_cache_loads")


def row(model: Configuration, variant: Configuration, context: int, users: int) -> dict:
    """A row of `variant`, which is the published `model` or the same with other KV heads."""
    token = kv_cache.kv_bytes(variant, batch=1, sequence=1)
    cache = kv_cache.kv_bytes(variant, users, context)
    weights = kv_cache.weight_bytes(variant)
    return {
        "model": model.name,
        "attention": kv_cache.attention(variant),
        "published": int(variant == model),
        "context": context,
        "within_context": int(context <= model.context),
        "users": users,
        "layers": variant.layers,
        "heads": variant.heads,
        "kv_heads": variant.kv_heads,
        "head_dim": variant.head_dim,
        "token_bytes": token,
        "cache_bytes": cache,
        "weight_bytes": weights,
        "cache_over_weights": cache / weights,
        "tokens_that_weigh_as_much": weights / token,
    }
