"""A real control group of little memory, as a container has one."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

import pytest

from postproof.engines import limits


@contextlib.contextmanager
def control_group(memory_mb: int) -> Iterator[list[str]]:
    """The head of a command line that has the rest of it run in such a group; skips the test where none may be made."""
    lines = [line.split(":", 2) for line in limits.MEMBERSHIP.read_text().splitlines()]
    own = next((line for line in lines if "memory" in line[1].split(",")), ["0", "", "/"])
    folder = limits.CGROUPS / own[1] / own[2].lstrip("/") / f"postproof-{uuid.uuid4().hex}"
    limit = folder / ("memory.limit_in_bytes" if own[1] else "memory.max")
    try:
        folder.mkdir()
        limit.write_text(str(memory_mb * 1_000_000))
    except OSError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        pytest.skip(f"no control group may be made here: {error}")
    try:
        yield ["sh", "-c", f'echo $$ > {folder}/cgroup.procs && exec "$@"', "sh"]
    finally:
        folder.rmdir()
