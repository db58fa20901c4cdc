"""Tabulate how many users a device or two can serve beside the weights, and the memory that given loads need.

Memory is weights at 16 bits, counted from the configuration, and one cache per user at the full context. Left out:
activations, the runtime (about 1 GB a device) and what allocators waste, so these are upper limits. Two devices share
weights and caches without loss.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd

from postproof import configurations, files, sections
from postproof.configurations import Configuration, Device
from postproof.errors import ParamsError
from postproof.llama2 import kv_cache
from postproof.llama2.kv_cache import GB, GIB


@dataclasses.dataclass(frozen=True)
class ServingBudget:
    devices: list[int]
    contexts: list[int]
    loads: list[list[int]]  # pairs of users and context

    def __post_init__(self):
        key = "llama2.serving_budget"
        kv_cache.check_counts(key, devices=self.devices, contexts=self.contexts)
        if not isinstance(self.loads, list) or not self.loads:
            raise ParamsError("value is not allowed", key=f"{key}.loads", value=self.loads, allowed="a list of pairs")
        for load in self.loads:
            if not isinstance(load, list) or len(load) != 2:
                raise ParamsError(
                    "value is not allowed", key=f"{key}.loads", value=load, allowed="pairs of users and context"
                )
            for count in load:
                kv_cache.check_counts(key, loads=count)


def add_arguments(parser) -> None:
    parser.add_argument("--configurations", type=Path, nargs="+", required=True, help="YAML of the published models")
    parser.add_argument("--device", type=Path, required=True, help="YAML of the device")
    parser.add_argument("--settings", required=True, help="params section llama2.serving_budget, as JSON")
    parser.add_argument("--out-budget", type=Path, required=True, help="tidy CSV: model, devices, reading, context")
    parser.add_argument("--out-loads", type=Path, required=True, help="tidy CSV: model, users, context")


def main(args) -> None:
    settings = sections.parse(ServingBudget, args.settings)
    models = served(configurations.read_all(args.configurations))
    device = configurations.read_device(args.device)
    budget = [
        budget_row(model, device, count, reading, context)
        for model in models
        for count in settings.devices
        for reading in kv_cache.READINGS
        for context in settings.contexts
    ]
    loads = [load_row(model, device, *load) for model in models for load in settings.loads]
    files.write_csv(args.out_budget, pd.DataFrame(budget))
    files.write_csv(args.out_loads, pd.DataFrame(loads))


def served(published: dict[str, Configuration]) -> list[Configuration]:
    """The 70B as released and with other numbers of KV heads, and the released models nearest to it without groups."""
    largest = configurations.choose(published, "llama2_70b")
    variants = [kv_cache.with_kv_heads(largest, attention) for attention in ("mqa", "mha")]
    return [largest, *variants, *(configurations.choose(published, name) for name in ("llama1_65b", "llama2_7b"))]


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
    for amount in ("weight", "cache", "total"):
        row[f"{amount}_gb"], row[f"{amount}_gib"] = (row[f"{amount}_bytes"] / unit for unit in (GB, GIB))
    row["cache_over_weights"] = cache / weights
    for reading in kv_cache.READINGS:
        row[f"devices_{reading.lower()}"] = -(-(weights + cache) // kv_cache.budget_bytes(device.memory_gb, reading))
    return row
