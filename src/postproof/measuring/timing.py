"""How everything here is timed: warm, synchronised, variants in turn, median and quartiles of the repeats.

Variants that will be compared are sampled in rounds (a, b, c, a, b, c, ...), so that a change of clock rate or a busy
neighbour meets all of them, and a ratio of medians is taken side by side.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import re
import signal
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping

import numpy as np
import torch

from postproof.core.errors import PostproofError

Call = Callable[[], object]
NO_VALUE = {"median_seconds": None, "p25_seconds": None, "p75_seconds": None, "repeats": None,
            "held_bytes": None, "peak_bytes": None, "after_bytes": None}  # fmt: skip
LEAST_ROUNDS = 5
COMPILE_LIMIT_SECONDS = 60


class Unavailable(PostproofError):
    """A variant that this machine cannot run. It becomes a row with a note."""


class Budget:
    """Seconds that a measurement may take. What comes after is left out, with a note."""

    def __init__(self, seconds: float):
        self.end = time.perf_counter() + seconds

    def check(self) -> None:
        if time.perf_counter() > self.end:
            raise Unavailable("left out: the time for this measurement was used up")


@dataclasses.dataclass(frozen=True)
class Batch:
    """A call that does the timed thing `calls` times."""

    call: Call
    calls: int

    def __call__(self) -> object:
        return self.call()


def batch(call: Call, calls: int) -> Batch:
    """`calls` calls from Python, one after the other: launch costs are hidden only where the device is the slower."""

    def repeat():
        for _ in range(calls):
            result = call()
        return result

    return Batch(repeat, calls)


def captured(call: Call, calls: int = 1) -> Batch:
    """`calls` calls recorded once as a CUDA graph and replayed: the device's time, without Python's."""
    if not torch.cuda.is_available():
        raise Unavailable("CUDA graphs need a GPU")
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(calls):
            call()
    return Batch(graph.replay, calls)


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(call: Call, device: torch.device) -> float:
    """Seconds per call, from an idle device to an idle device."""
    synchronise(device)
    start = time.perf_counter()
    call()
    synchronise(device)
    return (time.perf_counter() - start) / (call.calls if isinstance(call, Batch) else 1)


def summary(samples: list[float]) -> dict:
    p25, median, p75 = np.percentile(samples, [25, 50, 75])
    return {"median_seconds": median, "p25_seconds": p25, "p75_seconds": p75, "repeats": len(samples)}


def side_by_side(
    makers: Mapping[Hashable, Callable[[], Call]],
    device: torch.device,
    budget: Budget,
    repeats: int = 20,
    warm_up: int = 3,
    limit_seconds: float = 5.0,
) -> dict[Hashable, dict]:
    """Results by variant: NO_VALUE's keys, and `note`, which says why there is no value.

    A maker builds its variant and returns the call to time; what it builds stays alive until all are timed. Sampling
    ends after `repeats` rounds, or sooner after LEAST_ROUNDS once `limit_seconds` have passed.

    Bytes are the CUDA allocator's, without what was allocated before the variant was built: `held_bytes` before a
    call (weights, inputs), `peak_bytes` during it, `after_bytes` with its result still alive. Libraries' workspaces
    are not in them: the first variant is built and called once beforehand, which allocates them.
    """
    results = {key: NO_VALUE | {"note": ""} for key in makers}
    calls: dict[Hashable, Call] = {}

    @contextlib.contextmanager
    def noted(key):
        try:
            yield
        except Exception as error:
            results[key] = NO_VALUE | {"note": describe(error)}
            calls.pop(key, None)

    if device.type == "cuda":
        with noted(next(iter(makers))):
            budget.check()
            next(iter(makers.values()))()()
        _free()
    for key, make in makers.items():
        results[key]["note"] = ""
        with noted(key), _time_limit(COMPILE_LIMIT_SECONDS):
            budget.check()
            allocated_elsewhere = torch.cuda.memory_allocated(device) if device.type == "cuda" else 0
            calls[key] = make()
            for _ in range(warm_up):
                calls[key]()
            if device.type == "cuda":
                results[key] |= _bytes_of(calls[key], device, allocated_elsewhere)
        if key not in calls:
            _free()
    samples: dict[Hashable, list[float]] = {key: [] for key in calls}
    start = time.perf_counter()
    for done in range(repeats):
        if done >= LEAST_ROUNDS and time.perf_counter() - start > limit_seconds:
            break
        for key in list(calls):
            with noted(key):
                samples[key].append(seconds_of(calls[key], device))
    for key in calls:
        results[key] |= summary(samples[key])
    calls.clear()
    _free()
    return results


def describe(error: Exception) -> str:
    """One line without paths."""
    if isinstance(error, torch.OutOfMemoryError):
        return "out of memory"
    if isinstance(error, Unavailable):
        return error.message
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    return re.sub(r"(?<!\w)/[\w.\-/]+", "(path)", f"{type(error).__name__}: {lines[0]}")[:160]


def _bytes_of(call: Call, device: torch.device, allocated_elsewhere: int) -> dict:
    if isinstance(call, Batch):  # a graph's memory is its own pool, and a loop's result is one of many
        return {}
    synchronise(device)
    held = torch.cuda.memory_allocated(device) - allocated_elsewhere
    torch.cuda.reset_peak_memory_stats(device)
    result = call()
    synchronise(device)
    after = torch.cuda.memory_allocated(device) - allocated_elsewhere
    del result
    peak = torch.cuda.max_memory_allocated(device) - allocated_elsewhere
    return {"held_bytes": held, "peak_bytes": peak, "after_bytes": after}


def _free() -> None:
    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()


@contextlib.contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    """Stops a compilation that does not end. Only the main thread can be stopped so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum, frame):
        raise Unavailable(f"not ready after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
