"""Tabulate KV caches of long contexts beside the weights: as published, and with as many KV heads as heads.

    cache = users x context x 2 x layers x kv_heads x head_dim x 2 bytes

(postproof.llama2.kv_cache, which has the source). The model with all its KV heads is one that nobody published: its
projections to K and V are larger too, so it has more weights than the published one. `tokens_that_weigh_as_much` is
where the two meet:

    weights / (cache of one token), all users' tokens together

Left out: activations, the runtime, what allocators round and paging wastes.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd

from postproof import configurations, files, sections
from postproof.configurations import Configuration
from postproof.errors import ParamsError
from postproof.llama2 import kv_cache
from postproof.llama2.kv_cache import GB, GIB

KB, TB = 10**3, 10**12
SECTION = "attention.kv_cache_loads"


@dataclasses.dataclass(frozen=True)
class KvCacheLoads:
    models: list[str]
    contexts: list[int]  # tokens in each user's cache
    users: list[int]

    def __post_init__(self):
        kv_cache.check_counts(SECTION, contexts=self.contexts, users=self.users)
        names = self.models
        if not isinstance(names, list) or not names or len(set(map(str, names))) < len(names):
            allowed = "names of models, none twice"
            raise ParamsError("value is not allowed", key=f"{SECTION}.models", value=names, allowed=allowed)


def add_arguments(parser) -> None:
    parser.add_argument("--configurations", type=Path, nargs="+", required=True, help="YAML of the published models")
    parser.add_argument("--settings", required=True, help=f"params section {SECTION}, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV: model, attention, context, users")


def main(args) -> None:
    """Raises ParamsError for a bad section, DataError when a model's file was not handed over."""
    settings = sections.parse(KvCacheLoads, args.settings)
    published = configurations.read_all(args.configurations)
    chosen = [configurations.choose(published, name) for name in settings.models]
    rows = [
        row(model, variant, context, users)
        for model in chosen
        for variant in dict.fromkeys((model, kv_cache.with_kv_heads(model, "mha")))
        for context in settings.contexts
        for users in settings.users
    ]
    files.write_csv(args.out, pd.DataFrame(rows))


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
        "group": variant.heads // variant.kv_heads,
        "token_bytes": token,
        "token_kb": token / KB,
        "cache_bytes": cache,
        "cache_gb": cache / GB,
        "cache_gib": cache / GIB,
        "cache_tb": cache / TB,
        "weight_bytes": weights,
        "weight_gb": weights / GB,
        "weight_gib": weights / GIB,
        "cache_over_weights": cache / weights,
        "tokens_that_weigh_as_much": weights / token,
    }
