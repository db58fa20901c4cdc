"""Wall time of the race as posted, per arm: training steps, and evaluations (30 batches at each of ten checkpoints).

Each variant runs in a process of its own, several times: run 0 is cold (warm-up included), the later ones are warm.
The clock starts before the model is built; loss.item() ends each step and each validation batch.
Validation is the posted one only. Seconds: what the posted wall-clock ratio becomes, with and without evaluations.
"""

from __future__ import annotations

import concurrent.futures
import math
import multiprocessing
import time

import pandas as pd
import torch

from postproof.measuring.timing import describe
from postproof.mixtral.measuring import moe_variants, posted

VARIANTS = ("dense", "ours", "loop")
RUNS = 4
SECONDS_PER_VARIANT = 25  # no further run is started after these


def measure(device: torch.device, tiny: bool) -> pd.DataFrame:
    rows = []
    runs = 2 if tiny else RUNS
    for variant in VARIANTS:
        try:
            with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh_process:
                rows += fresh_process.submit(races, variant, device.type, tiny, runs).result()
        except Exception as error:
            rows.append({"variant": variant, "run": 0, "repeats": None, "note": describe(error)})
    return pd.DataFrame(rows)


def races(variant: str, device_type: str, tiny: bool, runs: int) -> list[dict]:
    corpus, device = posted.corpus(), torch.device(device_type)
    rows: list[dict] = []
    start = time.perf_counter()
    while len(rows) < runs and (not rows or time.perf_counter() - start < SECONDS_PER_VARIANT):
        labels = {"variant": variant, "arm": moe_variants.arm(variant), "run": len(rows), "warm_up_included": not rows}
        rows.append(labels | race(variant, corpus, device, tiny))
    return [row | {"repeats": len(rows), "note": ""} for row in rows]


def race(variant: str, corpus, device: torch.device, tiny: bool) -> dict:
    """One run to the budget, in the loop of training.Run with a clock in it."""
    start = time.perf_counter()
    sizes, settings, seed = posted.race(tiny)
    run = posted.VariantRun(variant, seed, sizes, settings, corpus, device)
    seconds = {"setup": time.perf_counter() - start, "training": 0.0, "evaluation": 0.0}
    evaluations, train_loss, val_loss = 0, math.nan, math.nan
    while run.step < run.total_steps:
        since = time.perf_counter()
        train_loss = run.train_step().item()
        seconds["training"] += time.perf_counter() - since
        if run.step in run.checkpoints:
            since = time.perf_counter()
            val_loss = run.mean_loss_of_drawn_windows()
            evaluations += 1
            seconds["evaluation"] += time.perf_counter() - since
    return {
        "steps": run.step,
        "evaluations": evaluations,
        "val_batches": settings.val_batches,
        "flops": run.step * run.flops_per_step,
        "train_loss": train_loss,
        "val_loss": val_loss,
        "wall_seconds": time.perf_counter() - start,
    } | {f"{part}_seconds": value for part, value in seconds.items()}
