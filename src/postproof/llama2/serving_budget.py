"""Tabulate how many users a device or two can serve beside the weights, and the memory that given loads need.

Memory is weights at 16 bits, counted from the configuration, and one cache per user at the full context. Left out:
activations, the runtime (about 1 GB a device) and what allocators waste, so these are upper limits. Two devices share
weights and caches without loss.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from postproof.core import settings, tables
from postproof.llama2.settings import ServingBudget
from postproof.published import configurations, kv_cache
from postproof.published.configurations import Configuration, Device


def add_arguments(parser) -> None:
    parser.add_argument("--varied", type=Path, required=True, help="YAML of the model that is varied in its KV heads")
    parser.add_argument("--beside", type=Path, nargs="+", required=True, help="YAML of the models beside it")
    parser.add_argument("--device", type=Path, required=True, help="YAML of the device")
    parser.add_argument("--settings", required=True, help="params section llama2.serving_budget, as JSON")
    parser.add_argument("--out-budget", type=Path, required=True, help="tidy CSV: model, devices, reading, context")
    parser.add_argument("--out-loads", type=Path, required=True, help="tidy CSV: model, users, context")


def main(args) -> None:
    serving = settings.parse(ServingBudget, args.settings)
    models = [*kv_cache.variants(configurations.read(args.varied)), *configurations.read_all(args.beside).values()]
    device = configurations.read_device(args.device)
    budget = [
        budget_row(model, device, count, reading, context)
        for model in models
        for count in serving.devices
        for reading in kv_cache.READINGS
        for context in serving.contexts
    ]
    loads = [load_row(model, device, *load) for model in models for load in serving.loads]
    tables.write(args.out_budget, pd.DataFrame(budget), "llama2/serving_budget")
    tables.write(args.out_loads, pd.DataFrame(loads), "llama2/serving_loads")


def budget_row(model: Configuration, device: Device, devices: int, reading: str, context: int) -> dict:
    memory = kv_cache.budget_bytes(devices * device.memory_gb, reading)
    weights, each = kv_cache.weight_bytes(model), kv_cache.kv_bytes(model, 1, context)
    users = kv_cache.most_that_fit(memory - weights, each)
    outcome = "fits" if users else "no_user_fits" if memory >= weights else "weights_do_not_fit"
    labels = {"model": model.name, "attention": kv_cache.attention(model), "devices": devices, "reading": reading}
    return labels | {
        "context": context,
        "memory_bytes": memory,
        "weight_bytes": weights,
        "room_bytes": max(memory - weights, 0),
        "user_bytes": each,
        "users": users,
        "outcome": outcome,
    }


def load_row(model: Configuration, device: Device, users: int, context: int) -> dict:
    weights, cache = kv_cache.weight_bytes(model), kv_cache.kv_bytes(model, users, context)
    row = {"model": model.name, "attention": kv_cache.attention(model), "users": users, "context": context}
    row |= {"weight_bytes": weights, "cache_bytes": cache, "total_bytes": weights + cache}
    row["cache_over_weights"] = cache / weights
    for reading in kv_cache.READINGS:
        row[f"devices_{reading.lower()}"] = -(-(weights + cache) // kv_cache.budget_bytes(device.memory_gb, reading))
    return row
