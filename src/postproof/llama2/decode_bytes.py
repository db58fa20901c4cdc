"""Tabulate the bytes that one decode step reads, weights and cache, with as many KV heads as heads, an eighth, and one.

A step takes one new token of each sequence through the model. It reads every weight once, whatever the batch, and the
cache of every sequence once:

    step bytes = weights + batch x cache of one sequence

So a cache an eighth of the size makes the step's bytes 8 times fewer only where the cache is nearly all of them. Left
out: activations, the token embedding (a lookup of one row a sequence; a head of its own is read), the new K and V.

    step FLOPs = 2 x batch x weights in products + 4 x batch x context x layers x heads x head_dim

4: two products, q K and p V, of two FLOPs a number. Query heads count here, KV heads do not: sharing K and V saves
bytes and no arithmetic. The step takes at least the larger of bytes / bandwidth and FLOPs / peak (Williams et al. 2009,
"Roofline"); devices that share a step evenly divide both, so which one is larger does not depend on how many there are.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from postproof.core import settings, tables
from postproof.llama2.settings import DecodeBytes
from postproof.published import configurations, kv_cache
from postproof.published.configurations import Configuration, Device, parameter_terms

ATTENTIONS = ("mha", "gqa", "mqa")


def add_arguments(parser) -> None:
    parser.add_argument("--configurations", type=Path, nargs="+", required=True, help="YAML of the published models")
    parser.add_argument("--device", type=Path, required=True, help="YAML of the device that bounds the step")
    parser.add_argument("--settings", required=True, help="params section llama2.decode_bytes, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, by model, attention, batch and context")


def main(args) -> None:
    steps = settings.parse(DecodeBytes, args.settings)
    published = configurations.read_all(args.configurations)
    device = configurations.read_device(args.device)
    rows = [
        row(model, attention, batch, context, device)
        for model in published.values()
        for attention in ATTENTIONS
        for batch in steps.batches
        for context in steps.contexts
    ]
    tables.write(args.out, pd.DataFrame(rows), "llama2/decode_bytes")


def row(published: Configuration, attention: str, batch: int, context: int, device: Device) -> dict:
    model, mha = (kv_cache.with_kv_heads(published, kind) for kind in (attention, "mha"))
    weights, cache = read_weight_bytes(model), kv_cache.kv_bytes(model, batch, context)
    mha_weights, mha_cache = read_weight_bytes(mha), kv_cache.kv_bytes(mha, batch, context)
    same_weights = read_weight_bytes(published)
    memory_seconds = (weights + cache) / (device.memory_gb_per_s * 1e9)
    compute_seconds = step_flops(model, batch, context) / (device.matrix_tflop_per_s * 1e12)
    labels = {"model": published.name, "attention": attention, "kv_heads": model.kv_heads}
    return labels | {
        "batch": batch,
        "context": context,
        "weight_bytes": weights,
        "cache_bytes": cache,
        "step_bytes": weights + cache,
        "cache_share": cache / (weights + cache),
        "mha_cache_ratio": mha_cache / cache,
        # With the weights that each has, and with those of the published model in both.
        "mha_step_ratio": (mha_weights + mha_cache) / (weights + cache),
        "mha_step_ratio_same_weights": (same_weights + mha_cache) / (same_weights + cache),
        "step_flops": step_flops(model, batch, context),
        "memory_gb_per_s": float(device.memory_gb_per_s),
        "matrix_tflop_per_s": float(device.matrix_tflop_per_s),
        "memory_seconds": memory_seconds,
        "compute_seconds": compute_seconds,
        "bound": "memory" if memory_seconds >= compute_seconds else "compute",
    }


def read_weight_bytes(model: Configuration) -> int:
    """Weights that every step reads whole."""
    terms = parameter_terms(model)
    looked_up = terms["positions"] + (0 if model.tied_embeddings else terms["token_embedding"])
    return kv_cache.BYTES_PER_NUMBER * (sum(terms.values()) - looked_up)


def step_flops(model: Configuration, batch: int, context: int) -> int:
    terms = parameter_terms(model)
    in_products = sum(terms[term] for term in ("attention_q", "attention_kv", "attention_out", "ffn"))
    in_products += model.vocabulary * model.hidden_size  # the head, tied or not
    return 2 * batch * in_products + 4 * batch * context * model.layers * model.heads * model.head_dim
