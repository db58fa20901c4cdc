"""Time of a training step: MoE against dense, against other ways to compute the same, and against a product's rate.

Each variant runs in a process of its own, as it trains; all of them are alive at once and are timed in turn, a few
steps at a time, so that a busy neighbour or another clock rate meets all. A figure is the median of the turns' ratios,
and means something on a machine that does nothing else.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from postproof.benchmarks.runner import Row, ratios
from postproof.core import exact
from postproof.core.errors import EngineError

TURNS = 9
UNTIMED, TIMED = 1, 3  # steps of a turn: the first one finds the caches full of another variant's weights
PRODUCT_N = 2048  # 17 GFLOPs, as many as a dense step; larger products are no faster


class Variant(NamedTuple):
    mode: str
    threads: int
    name: str  # of mixtral/measuring/moe_variants.py, or `product`: one square float32 product in that mode


# The library's block, computed in its two ways: a loop, and the grouped products that its models take by default.
TRANSFORMERS = ("transformers", "transformers_grouped")
ALL = [
    *(Variant("exact", 1, name) for name in ("dense", "ours", "product")),
    *(Variant("fast", 1, name) for name in ("dense", "ours", "loop", *TRANSFORMERS)),
    *(Variant("fast", 2, name) for name in ("dense", "ours", "loop")),
]


def rows() -> Iterator[Row]:
    """Ratios, with the reason for each target.

    Exact mode is one thread by design, so both variants of a row for two threads run in fast mode. So do ours and the
    other ways to compute the mixture: there all of them use torch's own products, where in exact mode ours alone would
    have the faster ones of linalg.py.
    """
    seconds, left_out = seconds_by_turn(ALL)

    def ratio(mode: str, threads: int, name: str, other: str, factor: float = 1) -> list[float]:
        return ratios(seconds[Variant(mode, threads, name)], seconds[Variant(mode, threads, other)], factor)

    # A step of MoE does 0.47 of the dense one's FLOPs. What both have besides products (softmax, norms), dispatch and
    # smaller products may add a third and a bit to that.
    yield Row.of("moe_step_over_dense_1t", ratio("exact", 1, "ours", "dense"), 0.65)
    yield Row.of("moe_step_over_dense_1t_fast_mode", ratio("fast", 1, "ours", "dense"), 0.70)
    # The race without its evaluations. The target is the one above, for 25 steps against 12.
    steps = steps_within_budget()
    at_equal_flops = ratio("exact", 1, "ours", "dense", steps["moe"] / steps["dense"])
    yield Row.of("moe_wall_at_equal_flops_1t", at_equal_flops, 1.35)
    # Sorting has to be worth it against a mask for each slot and expert.
    yield Row.of("moe_step_over_loop_1t", ratio("fast", 1, "ours", "loop"), 1)
    # Against the faster of its two ways. It has no biases, in the router or the experts, so it does a little less.
    missing = [left_out[theirs] for name in TRANSFORMERS if (theirs := Variant("fast", 1, name)) in left_out]
    if missing:
        say_left_out("moe_step_over_transformers_1t", missing[0])
    else:
        against_faster = max((ratio("fast", 1, "ours", name) for name in TRANSFORMERS), key=statistics.median)
        yield Row.of("moe_step_over_transformers_1t", against_faster, 1)
    if cores() < 2:
        say_left_out("moe_step_over_dense_2t, moe_step_over_loop_2t", "this process may use one core only")
    else:
        yield Row.of("moe_step_over_dense_2t", ratio("fast", 2, "ours", "dense"), 0.65)
        yield Row.of("moe_step_over_loop_2t", ratio("fast", 2, "ours", "loop"), 1)
    # No target is known; this asks for three quarters of a large product's rate. Attention's products of 96 x 32 reach
    # half of it; what is not counted (softmax, mask, norms, activations, head, optimiser) takes a fifth of the step.
    products = counted_flops("dense") / (2 * PRODUCT_N**3)
    yield Row.of("dense_step_over_gemm_peak_1t", ratio("exact", 1, "dense", "product", 1 / products), 1.35)
    # What the same bytes on every processor may cost.
    both = (seconds[Variant(mode, 1, "dense")] for mode in ("exact", "fast"))
    yield Row.of("exact_over_fast_dense_step_1t", ratios(*both), 1.5)


def seconds_by_turn(variants: list[Variant]) -> tuple[dict[Variant, list[float]], dict[Variant, str]]:
    """Seconds of a step by variant, the median of each turn; and of those that this machine cannot run, the reason."""
    seconds: dict[Variant, list[float]] = {}
    left_out: dict[Variant, str] = {}
    with contextlib.ExitStack() as stack:
        workers = {variant: stack.enter_context(Worker(variant)) for variant in variants if variant.threads <= cores()}
        for variant, worker in workers.items():
            if reason := worker.answer():
                left_out[variant] = reason
            else:
                seconds[variant] = []
        for _ in range(TURNS):
            for variant in seconds:
                seconds[variant].append(statistics.median(workers[variant].turn()))
    return seconds, left_out


class Worker(subprocess.Popen):
    """A process that builds one variant, says "" or why it cannot, and then times a few steps whenever it is asked.

    The number of threads and the pins have to be in its environment before NumPy and torch are imported.
    """

    def __init__(self, variant: Variant):
        self.variant = variant
        environment = {name: value for name, value in os.environ.items() if name not in exact.ENVIRONMENT}
        environment |= {name: str(variant.threads) for name in exact.ENVIRONMENT if name.endswith("_NUM_THREADS")}
        command = [sys.executable, "-m", "postproof", "--mode", variant.mode, "benchmarks.steps", variant.name]
        super().__init__(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def answer(self):
        """Raises EngineError when there is none; what went wrong stands on standard error by then."""
        line = self.stdout.readline()
        if not line:
            raise EngineError("a variant could not be timed", variant=" ".join(map(str, self.variant)))
        return json.loads(line)

    def turn(self) -> list[float]:
        """Seconds of each timed step of one turn."""
        with contextlib.suppress(BrokenPipeError):  # it has died: no answer says so
            self.stdin.write("\n")
            self.stdin.flush()
        return self.answer()


def add_arguments(parser) -> None:
    parser.add_argument("variant", help="of moe_variants.py, or product; times steps at each line of input")


def main(args) -> None:
    """The worker's side."""
    from postproof.measuring.timing import Unavailable

    try:
        step = step_of(args.variant)
    except Unavailable as error:
        print(json.dumps(error.message), flush=True)
        return
    for _ in range(2):  # the first steps make the optimiser's state and find the kernels
        step()
    print(json.dumps(""), flush=True)
    for _ in sys.stdin:
        for _ in range(UNTIMED):
            step()
        print(json.dumps([seconds_of(step) for _ in range(TIMED)]), flush=True)


def step_of(variant: str) -> Callable[[], object]:
    """One step of the race, batch, loss and optimiser included, on a model whose mixture is computed as the variant."""
    import torch

    from postproof.core import linalg
    from postproof.mixtral.measuring import posted

    if variant == "product":
        a, b = torch.randn(2, PRODUCT_N, PRODUCT_N)
        return lambda: linalg.matmul(a, b)

    sizes, settings, seed = posted.race(tiny=False)
    run = posted.VariantRun(variant, seed, sizes, settings, posted.corpus(), torch.device("cpu"))
    return lambda: run.train_step().item()


def seconds_of(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def counted_flops(arm: str) -> int:
    """FLOPs of one step of the race by the post's formula."""
    from postproof.mixtral.flops import step_flops
    from postproof.mixtral.measuring import posted

    sizes, settings, _ = posted.race(tiny=False)
    return step_flops(arm, sizes, settings.batch)


def steps_within_budget() -> dict[str, int]:
    """Steps of each arm in the race as posted: the last one takes the FLOPs to the budget or past it."""
    from postproof.mixtral.measuring import posted

    _, settings, _ = posted.race(tiny=False)
    return {arm: math.ceil(settings.budget_flops / counted_flops(arm)) for arm in ("dense", "moe")}


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def say_left_out(names: str, reason: str) -> None:
    print(f"{names}: left out, {reason}", flush=True)
