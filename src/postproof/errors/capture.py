"""The records that are logged meanwhile, for tables of what an operator gets to see."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def logged() -> Iterator[list[logging.LogRecord]]:
    """The records of all loggers from INFO on, which go nowhere else."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    try:
        yield records
    finally:
        root.handlers[:] = before
        root.setLevel(level)
