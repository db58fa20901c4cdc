"""Wall time of the race as posted, per arm: training steps, and evaluations (30 batches at each of ten checkpoints).

Each variant runs in a process of its own, several times: run 0 is cold (warm-up included), the later ones are warm.
The clock starts before the model is built; loss.item() ends each step and each validation batch, as in training.
Validation is the posted one only. Seconds: what the posted wall-clock ratio
becomes, with and without evaluations.
"""

from __future__ import annotations

import concurrent.futures
import math
import multiprocessing
import time

import pandas as pd
import torch

from postproof.measuring import moe_variants, posted
from postproof.measuring.timing import describe
from postproof.mixtral.flops import step_flops
from postproof.mixtral.training import random_windows, stream

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
    """One run to the budget, with the seed, the batches and the checkpoints of training.Run."""
    start = time.perf_counter()
    sizes, settings, seed = posted.race(tiny)
    weights_seed = stream(seed, "weights").initial_seed()
    model = moe_variants.build(variant, sizes, len(corpus.vocabulary), seed=weights_seed).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, fused=True)
    train_batches, val_batches = stream(seed, "train_batches"), stream(seed, "val_batches")
    flops_per_step = step_flops(moe_variants.arm(variant), sizes, settings.batch)
    steps = math.ceil(settings.budget_flops / flops_per_step)
    seconds = {"setup": time.perf_counter() - start, "training": 0.0, "evaluation": 0.0}
    evaluations, val_loss = 0, math.nan

    for step in range(1, steps + 1):
        since = time.perf_counter()
        ids, targets = random_windows(corpus.train, sizes.sequence, settings.batch, train_batches)
        optimiser.zero_grad()
        loss = model.loss(ids.to(device), targets.to(device))
        loss.backward()
        optimiser.step()
        train_loss = loss.item()
        seconds["training"] += time.perf_counter() - since

        passed = [int(s * flops_per_step // settings.checkpoint_flops) for s in (step - 1, step)]
        if passed[1] > passed[0] or step == steps:
            since = time.perf_counter()
            with torch.no_grad():
                batches = (
                    random_windows(corpus.val, sizes.sequence, settings.batch, val_batches)
                    for _ in range(settings.val_batches)
                )
                losses = [model.loss(ids.to(device), targets.to(device)).item() for ids, targets in batches]
            val_loss = sum(losses) / len(losses)
            evaluations += 1
            seconds["evaluation"] += time.perf_counter() - since

    return {
        "steps": steps,
        "evaluations": evaluations,
        "val_batches": settings.val_batches,
        "flops": steps * flops_per_step,
        "train_loss": train_loss,
        "val_loss": val_loss,
        "wall_seconds": time.perf_counter() - start,
    } | {f"{part}_seconds": value for part, value in seconds.items()}
