"""Made-up samples of the time of raising and returning."""

from __future__ import annotations

import itertools

import pandas as pd

from postproof.errors.measuring import exception_cost

# Nanoseconds of a call when none fails, and when all do.
WAYS = {"plain": (10, 10), "exception": (10, 110), "result_passed": (20, 60), "result_checked": (60, 80)}
PERCENTS = (0, 25, 50, 75, 100)


def samples(ways=WAYS, rounds: int = 3) -> pd.DataFrame:
    """Nanoseconds of each way when no call fails and when all do, joined by a line: as any mixture of both costs."""
    rows = [
        ("3.11.7", 4, percent, way, number, 1e-9 * (none + (every - none) * percent / 100), process)
        for way, (none, every) in ways.items()
        for percent, number, process in itertools.product(PERCENTS, range(rounds), range(2))
    ]
    return pd.DataFrame(rows, columns=[*exception_cost.KEY, "way", "round", "seconds", "process"])
