"""Tabulate how many sequences' caches fit into a budget, read as GB and as GiB, by model and length.

A budget below one sequence gives 0 and the outcome `none_fits`: rounding it up to 1 would promise what cannot be.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd

from postproof import configurations, files, sections
from postproof.caching_allocator import allocate
from postproof.configurations import Configuration
from postproof.llama2 import kv_cache


@dataclasses.dataclass(frozen=True)
class KvMaxBatch:
    budget: float  # GB or GiB
    sequences: list[int]

    def __post_init__(self):
        kv_cache.check_counts("llama2.kv_max_batch", sequences=self.sequences)
        kv_cache.check_amount("llama2.kv_max_batch", "budget", self.budget)


def add_arguments(parser) -> None:
    parser.add_argument("--configurations", type=Path, nargs="+", required=True, help="YAML of the published models")
    parser.add_argument("--settings", required=True, help="params section llama2.kv_max_batch, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per model, sequence and reading")


def main(args) -> None:
    settings = sections.parse(KvMaxBatch, args.settings)
    models = kv_cache.posted_models(configurations.read_all(args.configurations))
    rows = [
        row(model, sequence, settings.budget, reading)
        for model in models.values()
        for reading in kv_cache.READINGS
        for sequence in settings.sequences
    ]
    files.write_csv(args.out, pd.DataFrame(rows))


def row(model: Configuration, sequence: int, budget: float, reading: str) -> dict:
    """Whole sequences that fit, by the formula and by what the allocator would take from the device."""
    budget_bytes = kv_cache.budget_bytes(budget, reading)
    each_bytes = kv_cache.kv_bytes(model, 1, sequence)
    batch = kv_cache.most_that_fit(budget_bytes, each_bytes)
    reserved_batch = batch
    while reserved_batch and allocate(kv_cache.tensor_bytes(model, reserved_batch, sequence))[1] > budget_bytes:
        reserved_batch -= 1
    labels = {"model": model.name, "attention": kv_cache.attention(model), "sequence": sequence}
    return labels | {
        "budget": budget,
        "reading": reading,
        "budget_bytes": budget_bytes,
        "sequence_bytes": each_bytes,
        "max_batch": batch,
        "max_batch_reserved": reserved_batch,
        "outcome": "fits" if batch else "none_fits",
    }
