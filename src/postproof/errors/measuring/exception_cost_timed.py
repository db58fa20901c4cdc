"""Times raising against returning. Needs nothing but a CPython from 3.8 on and the two modules that the post describes.

    python -I -S exception_cost_timed.py FOLDER DEPTHS PERCENTS PATTERNS ROUNDS

FOLDER holds exceptions.py and result.py; depths and percents are separated by commas. Prints one JSON object: the
version, and a row [depth, percent, way, nanoseconds per call in each round] per case. The nanoseconds are of the
processor: what others do on a crowded machine while this process waits is none of a call's cost.
"""

import gc
import json
import platform
import random
import sys
import time

PATTERN = 100  # calls, of which as many fail as the percentage says

sys.path.insert(0, sys.argv[1])
from exceptions import ValidationError  # noqa: E402
from result import Failure, Success  # noqa: E402

VALUE = {"email": "test@example.com"}


def plain(depth, fails):
    """The floor: a value, or None for a failure, handed up through `depth` functions."""
    if depth > 1:
        return plain(depth - 1, fails)
    return None if fails else VALUE


def raising(depth, fails):
    if depth > 1:
        return raising(depth - 1, fails)
    if fails:
        raise ValidationError("Invalid email format", field="email", value="test")
    return VALUE


def passing(depth, fails):
    """A Result that only the caller looks into."""
    if depth > 1:
        return passing(depth - 1, fails)
    if fails:
        return Failure(ValidationError("Invalid email format", field="email", value="test"))
    return Success(VALUE)


def checking(depth, fails):
    """A Result that each function between looks into, as the post's caller does, since it goes on with the value."""
    if depth > 1:
        below = checking(depth - 1, fails)
        if below.is_failure():
            return below
        return Success(below.get_value())
    if fails:
        return Failure(ValidationError("Invalid email format", field="email", value="test"))
    return Success(VALUE)


def time_plain(depth, outcomes):
    failed = 0
    start = time.process_time_ns()
    for fails in outcomes:
        if plain(depth, fails) is None:
            failed += 1
    return time.process_time_ns() - start, failed


def time_exception(depth, outcomes):
    failed = 0
    start = time.process_time_ns()
    for fails in outcomes:
        try:
            raising(depth, fails)
        except ValidationError:
            failed += 1
    return time.process_time_ns() - start, failed


def time_passed(depth, outcomes):
    failed = 0
    start = time.process_time_ns()
    for fails in outcomes:
        result = passing(depth, fails)
        if result.is_failure():
            failed += 1
        else:
            result.get_value()
    return time.process_time_ns() - start, failed


def time_checked(depth, outcomes):
    failed = 0
    start = time.process_time_ns()
    for fails in outcomes:
        result = checking(depth, fails)
        if result.is_failure():
            failed += 1
        else:
            result.get_value()
    return time.process_time_ns() - start, failed


WAYS = {
    "plain": time_plain,
    "exception": time_exception,
    "result_passed": time_passed,
    "result_checked": time_checked,
}


def main():
    depths, percents = ([int(number) for number in text.split(",")] for text in sys.argv[2:4])
    patterns, rounds = int(sys.argv[4]), int(sys.argv[5])
    cases = []
    for percent in percents:
        outcomes = [number < percent for number in range(PATTERN)] * patterns
        random.Random(0).shuffle(outcomes)
        cases += [(depth, percent, way, outcomes) for depth in depths for way in WAYS]
    samples = {(depth, percent, way): [] for depth, percent, way, _ in cases}
    gc.disable()
    for number in range(rounds + 2):  # the first two warm up: the interpreter specialises what runs often
        for depth, percent, way, outcomes in cases:
            nanoseconds, failed = WAYS[way](depth, outcomes)
            assert failed == percent * len(outcomes) // PATTERN, (depth, percent, way, failed)
            if number >= 2:
                samples[depth, percent, way].append(nanoseconds / len(outcomes))
        gc.collect()
    rows = [[*case, times] for case, times in samples.items()]
    print(json.dumps({"implementation": platform.python_implementation(), "python": platform.python_version(),
                      "samples": rows}))  # fmt: skip


if __name__ == "__main__":
    main()
