"""What a user waits for when there is nothing to do."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from postproof.benchmarks.runner import Row
from postproof.core.errors import EngineError
from postproof.engines import sync

REPEATS = 5


def rows() -> Iterator[Row]:
    nothing = sync.run("snakemake", "--cores", "all", "--dry-run", "--quiet", "rules")
    if "Nothing to be done" not in nothing:
        raise EngineError("there is something to do, so a no-op cannot be timed", remedy="run `make` first")
    yield Row("noop_snakemake_seconds", median_seconds("snakemake", "--cores", "all"), 5, "s")
    yield Row("dvc_status_seconds", median_seconds("dvc", "status"), 3, "s")
    yield Row("cli_help_seconds", median_seconds("postproof", "--help"), 0.5, "s")


def median_seconds(module: str, *arguments: str) -> float:
    """Wall time of `python -m MODULE ...`, start of the interpreter included; the first run warms the disk cache.

    Raises EngineError when it fails.
    """
    seconds = []
    for _ in range(1 + REPEATS):
        start = time.perf_counter()
        sync.run(module, *arguments)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])
