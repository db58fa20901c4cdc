"""What a user waits for when there is nothing to do."""

from __future__ import annotations

from collections.abc import Iterator

from postproof.benchmarks.runner import Row, in_turns
from postproof.core.errors import EngineError
from postproof.engines import sync

REPEATS = 5


def rows() -> Iterator[Row]:
    nothing = sync.run("snakemake", "--cores", "all", "--dry-run", "--quiet", "rules")
    if "Nothing to be done" not in nothing:
        raise EngineError("there is something to do, so a no-op cannot be timed", remedy="run `make` first")
    yield Row.of("noop_snakemake_seconds", seconds("snakemake", "--cores", "all"), 5, "s")
    yield Row.of("dvc_status_seconds", seconds("dvc", "status"), 3, "s")
    yield Row.of("cli_help_seconds", seconds("postproof", "--help"), 0.5, "s")


def seconds(module: str, *arguments: str) -> list[float]:
    """Wall times of `python -m MODULE ...`, start of the interpreter included; the first run warms the disk cache.

    Raises EngineError when it fails.
    """
    return in_turns({module: lambda: sync.run(module, *arguments)}, REPEATS)[module]
