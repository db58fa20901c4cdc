"""What a claim is judged by: cells of metrics tables, and params. Each comes out as a quantity, or as a ClaimError.

A selection must mean what it says: every column is described, every run of the params' seeds is there and as long as
the others, the rows of a run are in step order, and no cell is empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from postproof import files
from postproof.claims.quantity import Quantity
from postproof.claims.strict import load, mapping, naming, one_of, shown, text
from postproof.claims.units import Unit
from postproof.errors import ArtefactError, ClaimError

if TYPE_CHECKING:
    import pandas

LABEL = "label"  # the "unit" of a column that names rows: an arm, a protocol, a seed
POSITIONS = {"first": 0, "last": -1}


@dataclass(frozen=True)
class Selection:
    """Cells of one column: `where` by label, `checkpoint` an index from either end, or None for all."""

    table: str
    column: str
    where: dict[str, str]
    checkpoint: int | None


@dataclass(frozen=True)
class Parameter:
    """One number of the params, by its dotted path."""

    path: str
    unit: Unit


@dataclass(frozen=True)
class Table:
    """A metrics table as the claims name it: where it stands, what its columns are, and which seeds it must have."""

    path: str  # as the claims' YAML gives it: relative to the repository
    units: dict[str, str]
    rows: pandas.DataFrame
    seeds: tuple[int, ...] | None  # None: a table without runs


def read_schema(path: Path | str) -> dict[str, str]:
    """Unit of every column. Raises ClaimError when a column lacks its unit or description."""
    units = {}
    with naming(file=path):
        for column, entry in load(path).items():
            with naming(column=column):
                entry = mapping(entry, required=("unit", "description"), optional=())
                text(entry["description"])
                units[column] = text(entry["unit"])
                Unit.parse(units[column])
    return units


def read_table(path: str, handed: Path, units: dict[str, str], seeds: Sequence[int] | None) -> Table:
    """Reads the handed file and checks it against its schema.

    Raises ClaimError when the file is missing or cut off, and when columns and schema differ.
    """
    with naming(artefact=handed):
        try:
            rows = files.read_csv(handed)
        except ArtefactError as error:
            raise ClaimError(f"artefact is missing or broken: {error.message}", remedy=error.remedy) from error
        differing = sorted(set(rows.columns) ^ set(units))
        if differing:
            raise ClaimError("table and schema have different columns", columns=", ".join(differing))
        if ("seed" in units) != (seeds is not None):
            raise ClaimError("a table of runs, and no other, needs `seeds`: the params' list of them", table=path)
    return Table(path, units, rows, None if seeds is None else tuple(seeds))


def select(table: Table, selection: Selection) -> Quantity:
    """The selected cells: one per seed, or seeds by checkpoints.

    Raises ClaimError for an unknown column or label, a missing seed or checkpoint, an empty cell, rows out of order.
    """
    with naming(table=table.path, column=selection.column):
        one_of(selection.column, [name for name, unit in table.units.items() if unit != LABEL], "column")
        chosen = table.rows
        for label, wanted in selection.where.items():
            one_of(label, list(table.units), "column to select by")
            matches = _matches(chosen[label], wanted)
            if not matches.any():
                found = ", ".join(map(str, chosen[label].unique()))
                raise ClaimError("selection is empty", label=label, value=wanted, allowed=found)
            chosen = chosen[matches]
        runs = [chosen] if table.seeds is None else _by_seed(chosen, table.seeds)
        data = _stack(runs, selection)
        unit = Unit.parse(table.units[selection.column])
        every = Quantity(data, unit, ("seed", "checkpoint"), table.seeds or (0,))
        if table.seeds is None:
            every = every.pick("seed", 0)
        if selection.checkpoint is None:
            return every
        count = data.shape[1]
        if not -count <= selection.checkpoint < count:
            raise ClaimError("no such checkpoint", value=selection.checkpoint, allowed=f"{-count} to {count - 1}")
        return every.pick("checkpoint", selection.checkpoint)


def _matches(column: pandas.Series, wanted: str) -> pandas.Series:
    if column.dtype.kind not in "iuf":
        return column.astype(str) == wanted
    try:
        return column == float(wanted)
    except ValueError as error:
        raise ClaimError("column is of numbers", label=column.name, value=wanted, allowed="a number") from error


def _by_seed(chosen: pandas.DataFrame, seeds: tuple[int, ...]) -> list[pandas.DataFrame]:
    if set(chosen["seed"]) != set(seeds):
        found = ", ".join(str(seed) for seed in sorted(set(chosen["seed"])))
        raise ClaimError("runs and params have different seeds", found=found, allowed=", ".join(map(str, seeds)))
    return [chosen[chosen["seed"] == seed] for seed in seeds]


def _stack(runs: list[pandas.DataFrame], selection: Selection) -> np.ndarray:
    # Two arms in one selection show up here: their steps start over.
    if any("step" in run and not (run["step"].diff().iloc[1:] > 0).all() for run in runs):
        raise ClaimError("steps do not increase within a run: does `where` leave a label out?")
    lengths = sorted({len(run) for run in runs})
    if len(lengths) > 1:
        raise ClaimError("runs have different numbers of checkpoints", value=", ".join(map(str, lengths)))
    cells = [run[selection.column] for run in runs]
    if any(column.dtype.kind not in "iuf" for column in cells):
        raise ClaimError("column is not of numbers", value=shown(str(cells[0].iloc[0])))
    return np.stack([column.to_numpy(dtype=np.float64) for column in cells])


def look_up(params: Mapping[str, Any], path: str) -> Any:
    """The entry at a dotted path. Raises ClaimError naming the part that is not there."""
    entry: Any = params
    with naming(param=path):
        for key in path.split("."):
            entry = entry if isinstance(entry, Mapping) else {}
            entry = entry[one_of(key, list(entry), "param")]
    return entry


def parameter(params: Mapping[str, Any], wanted: Parameter) -> Quantity:
    """Raises ClaimError when the param is missing or no number."""
    entry = look_up(params, wanted.path)
    if isinstance(entry, bool) or not isinstance(entry, (int, float)):
        raise ClaimError("param is not a number", param=wanted.path, value=shown(entry))
    with naming(param=wanted.path):
        return Quantity(np.asarray(entry, dtype=np.float64), wanted.unit)


def seeds_at(params: Mapping[str, Any], path: str) -> list[int]:
    """The params' list of seeds. Raises ClaimError unless it is one of different integers."""
    seeds = look_up(params, path)
    if not isinstance(seeds, list) or not seeds or any(type(seed) is not int for seed in seeds):
        raise ClaimError("param is not a list of seeds", param=path, value=shown(seeds), allowed="a list of integers")
    if len(set(seeds)) < len(seeds):
        raise ClaimError("a seed stands twice", param=path, value=shown(seeds))
    return seeds


def in_words(source: Selection | Parameter, tables: Mapping[str, Table]) -> str:
    """Where the values come from, for the record."""
    if isinstance(source, Parameter):
        return f"params.yaml: {source.path}"
    rows = [f"{label} {wanted}" for label, wanted in source.where.items()]
    names = {None: "all checkpoints"} | {index: f"{name} checkpoint" for name, index in POSITIONS.items()}
    rows.append(names.get(source.checkpoint, f"checkpoint {source.checkpoint}"))
    return f"{tables[source.table].path}: {source.column} of {', '.join(rows)}"
