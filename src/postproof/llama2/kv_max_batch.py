"""Tabulate how many sequences' caches fit into a budget, read as GB and as GiB, by model and length.

A budget below one sequence gives 0 and the outcome `none_fits`: rounding it up to 1 would promise what cannot be.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from postproof.core import settings, tables
from postproof.llama2.settings import KvMaxBatch
from postproof.published import configurations, kv_cache
from postproof.published.caching_allocator import allocate
from postproof.published.configurations import Configuration


def add_arguments(parser) -> None:
    parser.add_argument("--varied", type=Path, required=True, help="YAML of the model that is varied in its KV heads")
    parser.add_argument("--beside", type=Path, nargs="+", required=True, help="YAML of the models beside it")
    parser.add_argument("--settings", required=True, help="params section llama2.kv_max_batch, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per model, sequence and reading")
    parser.add_argument("--out-posted", type=Path, required=True, help="tidy CSV, one row per model")


def main(args) -> None:
    batch = settings.parse(KvMaxBatch, args.settings)
    models = kv_cache.compared(configurations.read(args.varied), configurations.read_all(args.beside).values())
    rows = [
        row(model, sequence, batch.budget, reading)
        for model in models
        for reading in kv_cache.READINGS
        for sequence in batch.sequences
    ]
    posted = [posted_row(model, batch.posted_sequence, batch.budget) for model in models]
    tables.write(args.out, pd.DataFrame(rows), "llama2/kv_max_batch")
    tables.write(args.out_posted, pd.DataFrame(posted), "llama2/kv_posted_batch")


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


def posted_row(model: Configuration, sequence: int, budget: float) -> dict:
    """What the reading of the budget decides at the length of the post's numbers."""
    batches = {reading: row(model, sequence, budget, reading)["max_batch"] for reading in kv_cache.READINGS}
    labels = {"model": model.name, "attention": kv_cache.attention(model), "sequence": sequence, "budget": budget}
    return labels | {f"max_batch_{reading.lower()}": batch for reading, batch in batches.items()}
