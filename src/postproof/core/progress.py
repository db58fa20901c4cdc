"""Progress of one job: a bar on a terminal, plain lines in its log. Neither, if it cannot be written, stops the job."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def say(text: str) -> None:
    """Prints to standard error, if it can be written: with `2> FILE` the disk may be full."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        # What is left in the buffer must not fail once more when Python ends: its exit code would be another.
        sys.stderr = open(os.devnull, "w")


def add_to_log(log: Path | None, line: str) -> bool:
    """Adds a line to a job's log, if it has one; where that cannot be, says so on standard error and gives False."""
    if log is None:
        return True
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError as error:
        say(f"postproof: cannot write the log {log}: {error}")
        return False
    return True


class Progress:
    """`advance()` moves the bar, `line()` records one line. A log of an earlier attempt is kept and added to."""

    def __init__(self, label: str, total: int, log: Path | None, done: int = 0):
        from tqdm import tqdm

        self.label = label
        self.bar = tqdm(total=total, initial=done, desc=label, disable=not sys.stderr.isatty(), leave=False)
        self.log = log

    def advance(self) -> None:
        self.bar.update()

    def line(self, text: str) -> None:
        if not add_to_log(self.log, f"{self.label}: {text}"):
            self.log = None  # said once

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception) -> None:
        self.bar.close()
