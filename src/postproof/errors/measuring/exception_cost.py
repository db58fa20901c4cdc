"""Time of a call that may fail, over the share of calls that fail and the functions between: raised and caught,
returned as the post's Result, returned as a plain value.

Each CPython runs exception_cost_timed.py in processes of its own, in turn with the others; within a process all ways,
depths and shares take turns in short rounds, so that a busy neighbour meets all of them. The error is the post's
ValidationError in every way but `plain`, the Result the post's. `result_passed` is looked into by the caller alone,
`result_checked` by each function between. Depth is the number of functions from the one that fails to the one that the
caller calls. Medians and quartiles are over all rounds, per call; `over_exception` is the median of the ratios of a
round. `crossing_percent` is the share of failures from which on the Result is the cheaper one: interpolated between
shares, over all rounds, and least and most over processes; 0 where it is cheaper always, empty where never. The garbage
collector is off while the clock runs. Seconds of the processor, not of the wall: others may use the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core.errors import UsageError
from postproof.errors.as_described import exceptions

DEPTHS = (1, 2, 4, 8, 16, 32, 64)
PERCENTS = (0, 1, 5, 10, 25, 50, 75, 100)
ROUNDS, PROCESSES, PATTERNS = 20, 5, 1
TINY = ((1, 4), (0, 50, 100), 2, 1, 1)
TIMED = Path(__file__).with_name("exception_cost_timed.py")
DESCRIBED = Path(exceptions.__file__).parent
LIMIT_SECONDS = 300
RESULTS = ("result_passed", "result_checked")
KEY = ["python", "depth", "failure_percent"]


def measure(device, tiny: bool, pythons: Sequence[str] = ()) -> pd.DataFrame:
    """`pythons`: paths of other interpreters. Raises UsageError for what is no CPython from 3.8 on."""
    depths, percents, rounds, processes, patterns = TINY if tiny else (DEPTHS, PERCENTS, ROUNDS, PROCESSES, PATTERNS)
    interpreters = [sys.executable, *pythons]
    samples = [
        timed(python, depths, percents, patterns, rounds).assign(process=process)
        for process in range(processes)
        for python in interpreters
    ]
    if sum(frame["python"].iloc[0] == samples[0]["python"].iloc[0] for frame in samples) > processes:
        raise UsageError("interpreter is given twice", key="--python", value=samples[0]["python"].iloc[0])
    return summary(pd.concat(samples, ignore_index=True))


def timed(python: str, depths: Sequence[int], percents: Sequence[int], patterns: int, rounds: int) -> pd.DataFrame:
    """A row per case and round of one process; columns KEY, way, round and seconds.

    Raises UsageError when the interpreter does not do it.
    """
    numbers = [",".join(map(str, depths)), ",".join(map(str, percents)), str(patterns), str(rounds)]
    command = [python, "-I", "-S", "-B", str(TIMED), str(DESCRIBED), *numbers]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True)
        told = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise UsageError("interpreter cannot run what is timed", key="--python", value=python,
                         allowed="path of a CPython from 3.8 on") from error  # fmt: skip
    if told["implementation"] != "CPython":
        raise UsageError("not a CPython", key="--python", value=told["implementation"], allowed="CPython")
    return pd.DataFrame(
        [
            (told["python"], depth, percent, way, number, nanoseconds * 1e-9)
            for depth, percent, way, times in told["samples"]
            for number, nanoseconds in enumerate(times)
        ],
        columns=[*KEY, "way", "round", "seconds"],
    )


def summary(samples: pd.DataFrame) -> pd.DataFrame:
    """The table of the samples of all processes: a row per interpreter, depth, share of failures and way."""
    wide = samples.pivot(index=[*KEY, "process", "round"], columns="way", values="seconds")
    ratios = wide.div(wide["exception"], axis="index").groupby(KEY).median()
    table = samples.groupby([*KEY, "way"], sort=False)["seconds"].quantile([0.25, 0.5, 0.75]).unstack()
    table.columns = ["p25_seconds", "median_seconds", "p75_seconds"]
    table["repeats"] = samples.groupby([*KEY, "way"]).size()
    table = table.reset_index()
    table["over_exception"] = [ratios.loc[tuple(row[KEY]), row["way"]] for _, row in table.iterrows()]
    crossings = {}
    for (python, depth), rows in wide.groupby(["python", "depth"]):
        for way in RESULTS:
            difference = rows[way] - rows["exception"]
            by_process = [crossing(of_one) for _, of_one in difference.groupby("process")]
            crossings[python, depth, way] = crossing(difference), *ends(by_process)
    names = ["crossing_percent", "crossing_low_percent", "crossing_high_percent"]
    keys = zip(table["python"], table["depth"], table["way"])
    table[names] = pd.DataFrame([crossings.get(key, (None, None, None)) for key in keys], dtype=float)
    return table.assign(note="")


def crossing(difference: pd.Series) -> float | None:
    """The share of failures, in percent, from which on the difference, Result less exception, is below 0.

    `difference` has samples by failure_percent; their medians are joined by lines. None when it never is.
    """
    medians = difference.groupby("failure_percent").median()
    percents, values = medians.index.to_numpy(float), medians.to_numpy()
    dearer = np.flatnonzero(values >= 0)
    if not len(dearer):
        return 0.0
    last = dearer[-1]
    if last == len(values) - 1:
        return None
    step = values[last] / (values[last] - values[last + 1])
    return float(percents[last] + step * (percents[last + 1] - percents[last]))


def ends(crossings: Sequence[float | None]) -> tuple[float | None, float | None]:
    """The least and the most; no most where a process never saw it."""
    known = [value for value in crossings if value is not None]
    return min(known, default=None), max(known) if len(known) == len(crossings) else None
