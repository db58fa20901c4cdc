"""What the tables behind a page are: rows, columns with units, runs, hash, machine, and what makes them again."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postproof.core import files, tables
from postproof.core.errors import ArtefactError
from postproof.core.tables import Column

FEW = 8  # labels that are worth listing


@dataclass(frozen=True)
class File:
    path: str  # from the root
    rows: int
    sha256: str


@dataclass(frozen=True)
class Machine:
    """Of a measurement: on what, when and how often."""

    name: str
    device: str
    threads: int | None
    date: str
    repeats: int | None


@dataclass(frozen=True)
class Source:
    """A table, or the tables of all machines of a measurement. `path` is what records call it.

    `labels` are the values of a column that tells rows apart, where they are few. `stage`, `command` and `params` are
    those of the job that makes it; none for what was posted or measured.
    """

    path: str
    files: tuple[File, ...]
    columns: tuple[Column, ...]
    labels: dict[str, list[str]]
    seeds: tuple[int, ...]
    machines: tuple[Machine, ...]
    stage: str | None
    command: str | None
    params: tuple[str, ...]

    @property
    def anchor(self) -> str:
        return "table-" + self.path.removesuffix(".csv").replace("/", "-")

    @property
    def code(self) -> str | None:
        """The file of the command that makes it."""
        return f"src/postproof/{self.command.replace('.', '/')}.py" if self.command else None

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


def read_all(
    handed: Sequence[Path], about: Sequence[Path], schemas: Sequence[Path], made: Mapping[str, Mapping[str, Any]]
) -> dict[str, Source]:
    """The sources by path. `about`: what is known of machines' tables; `made`: by path `stage`, `command`, `params`.

    Raises ArtefactError when a table, its schema or its particulars cannot be read.
    """
    columns = {path.with_suffix("").parts[-2:]: tables.read_schema(path) for path in schemas}
    made = {recorded_path(Path(path)): by for path, by in made.items()}
    particulars = {path.with_suffix(".csv"): machine(path) for path in about}
    groups: dict[str, list[Path]] = {}
    for path in dict.fromkeys(handed):
        groups.setdefault(recorded_path(path), []).append(path)
    found = {}
    for path, group in groups.items():
        of_table = _schema(columns, path)
        rows = [row for file in group for row in read_rows(file)]
        machines = tuple(particulars[file] for file in group if file in particulars)
        listing = tuple(File(str(file), sum(1 for _ in read_rows(file)), files.sha256(file)) for file in group)
        labels, seeds = told_apart(rows, of_table)
        by = made.get(path) or {}
        found[path] = Source(path, listing, of_table, labels, seeds, machines, by.get("stage"), by.get("command"),
                             tuple(by.get("params") or ()))  # fmt: skip
    return found


def recorded_path(path: Path) -> str:
    """What records call the table in this file: of a measurement its folder, in any mode a path below results/."""
    name = tables.name_of(path)
    return tables.path_of(f"any/{name}" if name.startswith("measured_") else name)


def _schema(columns: Mapping[tuple[str, ...], Mapping[str, Column]], path: str) -> tuple[Column, ...]:
    """The columns of the schema whose name the table has: that of its post first, else one that several posts have."""
    parts = Path(path).with_suffix("").parts
    post, stem = (parts[1], parts[-1]) if parts[0] == "results" else (parts[-2], f"{parts[1]}_{parts[-1]}")
    named = [found for (folder, name), found in columns.items() if name == stem and folder in (post, "published")]
    named += [found for (_, name), found in columns.items() if name == stem]
    return tuple(named[0].values()) if named else ()


def read_rows(path: Path) -> list[dict[str, str]]:
    """Raises ArtefactError when the file is no table."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ArtefactError("cannot read table", file=path) from error
    if not rows or any(None in row or None in row.values() for row in rows):
        raise ArtefactError("table has no rows, or rows of other lengths than its header", file=path)
    return rows


def told_apart(rows: Sequence[Mapping[str, str]], columns: Sequence[Column]) -> tuple[dict[str, list[str]], tuple]:
    """Labels by column where there are two or a few, and the seeds of the runs."""
    labels, seeds = {}, ()
    for column in columns:
        values = list(dict.fromkeys(row.get(column.name, "") for row in rows))
        values = [value for value in values if value]
        if column.from_params:
            seeds = tuple(sorted(int(value) for value in values if value.isdigit()))
        elif column.is_label and 1 < len(values) <= FEW:
            labels[column.name] = values
    return labels, seeds


def machine(path: Path) -> Machine:
    """Raises ArtefactError when the file does not say which machine it is of."""
    content = files.read_json(path)
    if not isinstance(content, dict) or not content.get("machine"):
        raise ArtefactError("does not say which machine it is of", file=path, key="machine",
                            remedy="measure again, or `git checkout` it")  # fmt: skip
    device = content.get("device_name") or content.get("cpu_model") or content.get("device") or ""
    date = str(content.get("date_utc") or "")[:10]
    return Machine(str(content["machine"]), str(device), content.get("threads"), date, content.get("repeats"))
