"""Time of one training step of each arm of the race, at one thread."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from postproof import exact, params
from postproof.bench import Row

ROUNDS, STEPS = 2, 15


def rows() -> Iterator[Row]:
    """Each mode in processes of its own, in turn; a ratio is of medians over all its steps."""
    exact_seconds, fast_seconds = {"dense": [], "moe": []}, {"dense": [], "moe": []}
    for _ in range(ROUNDS):
        for mode, seconds in [("exact", exact_seconds), ("fast", fast_seconds)]:
            for arm, times in step_seconds_in_new_process(mode).items():
                seconds[arm] += times
    exact_median, fast_median = (
        {arm: statistics.median(times) for arm, times in seconds.items()} for seconds in (exact_seconds, fast_seconds)
    )
    yield Row("moe_step_over_dense_1t", exact_median["moe"] / exact_median["dense"], 0.70, "1")
    yield Row("moe_step_over_dense_1t_fast_mode", fast_median["moe"] / fast_median["dense"], 0.70, "1")
    yield Row("exact_over_fast_dense_step_1t", exact_median["dense"] / fast_median["dense"], 1.5, "1")


def step_seconds_in_new_process(mode: str) -> dict[str, list[float]]:
    environment = {name: value for name, value in os.environ.items() if name not in exact.ENVIRONMENT}
    environment |= {name: value for name, value in exact.ENVIRONMENT.items() if name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-m", "postproof", "--mode", mode, "benchmarks.steps"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)


def add_arguments(parser) -> None:
    pass


def main(args) -> None:
    print(json.dumps(step_seconds()))


def step_seconds() -> dict[str, list[float]]:
    """Seconds of each step after a warm-up, the arms in turn, with the sizes and batch of params.yaml."""
    import torch

    from postproof.data.prepare_corpus import Corpus
    from postproof.mixtral.model import ARMS, ModelSizes
    from postproof.mixtral.training import Run, TrainingSettings

    race = params.load("params.yaml")["mixtral"]["race"]
    settings = TrainingSettings(**race["training"])
    tokens = torch.randint(64, (10_000,), generator=torch.Generator().manual_seed(0))
    corpus = Corpus(tokens, tokens, [chr(index) for index in range(64)])
    runs = {arm: Run(arm, 0, ModelSizes(**race["model"]), settings, corpus, torch.device("cpu")) for arm in ARMS}
    seconds = {arm: [] for arm in ARMS}
    for _ in range(STEPS):
        for arm, run in runs.items():
            start = time.perf_counter()
            run.train_step()
            seconds[arm].append(time.perf_counter() - start)
    return {arm: times[3:] for arm, times in seconds.items()}
