"""Measured tables as charts read them: a CSV per machine, and beside it the JSON that says what was measured where."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import files, tables
from postproof.core.errors import ArtefactError

REMEDY = "measure it again: python -m postproof --mode fast measure NAME"


@dataclasses.dataclass(frozen=True)
class Measured:
    """`table` has the rows with a value; what a machine could not run has only a note, and is left out."""

    file: Path
    table: pd.DataFrame
    device_name: str
    threads: int
    date: str  # UTC
    tiny: bool

    def heading(self, width: int) -> str:
        """Which machine and when, in lines of at most `width` characters."""
        text = f"{self.device_name}, {self.threads} CPU thread{'s' * (self.threads > 1)}, {self.date}"
        return textwrap.fill(text, width) + ("\nSMOKE TEST: not the post's sizes" if self.tiny else "")

    def must_hold(self, identities: Mapping[str, bool]) -> None:
        """Raises ArtefactError with the first identity that the table breaks."""
        tables.must_hold(self.file, identities, REMEDY)


def read_all(paths: Sequence[Path], labels: Sequence[str], numbers: Sequence[str]) -> list[Measured]:
    """The tables by machine's name. Raises ArtefactError as `read` does, and when a machine stands twice."""
    ordered = sorted(paths, key=lambda path: path.stem)
    for one, next_one in zip(ordered, ordered[1:]):
        if one.stem == next_one.stem:
            raise ArtefactError("machine is given twice", file=one, machine=one.stem, remedy="name each table once")
    return [read(path, labels, numbers) for path in ordered]


def read(path: Path, labels: Sequence[str], numbers: Sequence[str]) -> Measured:
    """One machine's rows that have a value; `numbers` are finite in them, and columns of seconds above 0.

    Raises ArtefactError when table or JSON is missing or broken, is another machine's or another table's, or has no
    row with a value.
    """
    table = files.read_csv(path, [*labels, *numbers, "note"], labels=labels, words=["note"])
    table = table[table["note"].isna()].drop(columns="note")
    if table.empty:
        raise ArtefactError("no row has a value, only notes", file=path, remedy=REMEDY)
    for column in numbers:
        values = pd.to_numeric(table[column], errors="coerce")
        if not np.isfinite(values).all() or (column.endswith("_seconds") and (values <= 0).any()):
            raise ArtefactError("row without a note holds no proper number", file=path, column=column, remedy=REMEDY)
        table[column] = values
    beside = path.with_suffix(".json")
    about = files.read_json(beside)
    try:
        if about["machine"] != path.stem:
            raise ArtefactError(
                "provenance is another machine's", file=beside, value=about["machine"], allowed=path.stem, remedy=REMEDY
            )
        if about["table_sha256"] != files.sha256(path):
            raise ArtefactError(
                "the table is not the one that this was written for", file=beside, key="table_sha256", remedy=REMEDY
            )
        name, threads, date, tiny = (about[key] for key in ("device_name", "threads", "date_utc", "tiny"))
        return Measured(path, table, str(name), int(threads), str(date)[:10], bool(tiny))
    except (KeyError, TypeError, ValueError) as error:
        needed = "machine, table_sha256, device_name, threads, date_utc, tiny"
        raise ArtefactError("not a measurement's provenance", file=beside, needed=needed, remedy=REMEDY) from error
