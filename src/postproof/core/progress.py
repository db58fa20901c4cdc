"""Progress of one job: a bar on a terminal, plain lines in its log."""

from __future__ import annotations

import sys
from pathlib import Path

from tqdm import tqdm


class Progress:
    """`advance()` moves the bar, `line()` records one line. A log of an earlier attempt is kept and added to."""

    def __init__(self, label: str, total: int, log: Path | None, done: int = 0):
        self.label = label
        self.bar = tqdm(total=total, initial=done, desc=label, disable=not sys.stderr.isatty(), leave=False)
        self.log = log
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)

    def advance(self) -> None:
        self.bar.update()

    def line(self, text: str) -> None:
        if self.log is not None:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(f"{self.label}: {text}\n")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception) -> None:
        self.bar.close()
