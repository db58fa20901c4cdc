"""What a claim is judged by: cells of tables, params, figures of the literature. Each is a quantity, or a ClaimError.

Of a measurement the rows of all machines are one table, with the column `machine`; of its columns those count that the
schema names.

A selection must mean what it says: every run of the params' seeds is there and as long as the others, checkpoints are
in order, no cell is empty, and several rows where one is meant are an error. What a table has, runs or checkpoints or
neither, its schema says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from postproof.claims.quantity import CHECKPOINT, ROW, SEED, Quantity, scalar
from postproof.claims.strict import mapping, naming, one_of, shown, text
from postproof.core import strict_yaml, tables
from postproof.core.errors import ClaimError
from postproof.core.tables import Column
from postproof.core.units import Unit

if TYPE_CHECKING:
    import pandas

POSITIONS = {"first": 0, "last": -1}


@dataclass(frozen=True)
class Selection:
    """Cells of one column: `where` by label.

    Of a table with checkpoints: those of each run, or the one at index `checkpoint`. Of another: the cell of one row,
    the one value of several rows (`constant`), or a value per row (`all_rows`).
    """

    table: str  # {post}/{table}
    column: str
    where: dict[str, str]
    checkpoint: int | None = None
    constant: bool = False
    all_rows: bool = False


@dataclass(frozen=True)
class Parameter:
    """One number of the params, by its dotted path."""

    path: str
    unit: Unit


@dataclass(frozen=True)
class Figure:
    """A number of data/published/{work}.yaml."""

    work: str
    name: str


Source = Selection | Parameter | Figure


@dataclass(frozen=True)
class Work:
    """A publication whose figures are repeated: file, title and source, and each figure's entry."""

    path: Path
    title: str
    source: str
    figures: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Table:
    """A table: where it stands in the repository, its columns and rows, and the seeds that its runs have."""

    path: str
    columns: dict[str, Column]
    rows: pandas.DataFrame
    seed: str | None  # the column of seeds; None: a table without runs
    seeds: tuple[int, ...]  # empty without runs
    checkpoint: str | None  # the column of checkpoints; None: a table without


def read_table(path: str, handed: Sequence[Path], columns: dict[str, Column], params: Mapping[str, Any]) -> Table:
    """Reads the handed file, which has to be of its schema; the schema says where in the params its seeds are.

    Raises ClaimError when the file is missing or cut off, is not of its schema, or the params lack the seeds.
    """
    for column in columns.values():
        with naming(column=column.name):
            if not column.is_label:
                Unit.parse(column.unit)
    with naming(artefact=handed[0]):
        rows = _rows(handed, columns)
        tables.check(rows, columns, handed[0])
        seed = next((column for column in columns.values() if column.from_params), None)
        checkpoint = next((name for name, column in columns.items() if column.checkpoint), None)
        seeds = tuple(seeds_at(params, seed.from_params)) if seed else ()
    return Table(path, columns, rows, seed.name if seed else None, seeds, checkpoint)


def _rows(handed: Sequence[Path], columns: Mapping[str, Column]) -> pandas.DataFrame:
    import pandas

    if "measured" not in handed[0].parts:
        return tables.read_file(handed[0], columns)
    parts = [tables.read_file(file, columns).assign(machine=file.stem) for file in sorted(handed)]
    of_all = pandas.concat(parts, ignore_index=True)
    return of_all[[name for name in columns if name in of_all]]


def read_work(path: Path) -> Work:
    """Raises ClaimError when the file is missing or says something else than figures."""
    with naming(file=path):
        content = strict_yaml.load(path, ClaimError, numbers_as_text=True)
        content = mapping(content, required=("title", "source", "figures"), optional=())
        figures = {}
        for name, entry in mapping(content["figures"]).items():
            with naming(figure=name):
                figures[name] = mapping(entry, required=("value", "unit", "where"), optional=())
        return Work(path, text(content["title"]), text(content["source"]), figures)


def figure(works: Mapping[str, Work], wanted: Figure) -> Quantity:
    """Raises ClaimError when there is no such work or figure, or it is no number."""
    work = works[one_of(wanted.work, works, "published work: the job was not handed it")]
    with naming(file=work.path, figure=wanted.name):
        entry = work.figures[one_of(wanted.name, work.figures, "figure")]
        try:
            value = float(text(entry["value"]).replace(",", ""))
        except ValueError as error:
            raise ClaimError("not a number", key="value", value=shown(entry["value"])) from error
        return Quantity.measured(np.asarray(value), Unit.parse(text(entry["unit"])))


def select(table: Table, selection: Selection) -> Quantity:
    """The selected cells: one, or one for each of seeds, checkpoints or rows, or of seeds and these.

    Raises ClaimError for an unknown column or label, a missing seed or checkpoint, an empty cell, checkpoints out of
    order, several rows where the selection means one.
    """
    with naming(table=table.path, column=selection.column):
        one_of(selection.column, [name for name, column in table.columns.items() if not column.is_label], "column")
        unit = Unit.parse(table.columns[selection.column].unit)
        axis = _axis(table, selection)
        chosen = _chosen(table, selection.where)
        runs = _by_seed(chosen, table) if table.seed else [chosen]
        if axis == CHECKPOINT:
            _check_order(runs, table.checkpoint)
        cells = [_numbers(run[selection.column]) for run in runs]
        if axis is None:
            values = np.array([_one(*each, selection) for each in zip(cells, runs, strict=True)])
            return Quantity.measured(values, unit, (SEED,), table.seeds) if table.seed else scalar(values[0], unit)
        lengths = sorted({len(each) for each in cells})
        if len(lengths) > 1:
            raise ClaimError(f"runs have different numbers of {axis}s", value=", ".join(map(str, lengths)))
        if table.seed:
            got = Quantity.measured(np.stack(cells), unit, (SEED, axis), table.seeds)
        else:
            got = Quantity.measured(cells[0], unit, (axis,))
        if selection.checkpoint is None:
            return got
        if not -lengths[0] <= selection.checkpoint < lengths[0]:
            allowed = f"{-lengths[0]} to {lengths[0] - 1}"
            raise ClaimError("no such checkpoint", value=selection.checkpoint, allowed=allowed)
        return got.pick(CHECKPOINT, selection.checkpoint)


def _axis(table: Table, selection: Selection) -> str | None:
    """What the rows of a run are: None where the selection is of one value."""
    if table.checkpoint and (selection.constant or selection.all_rows):
        raise ClaimError("rows of this table are checkpoints", allowed="`checkpoint: first`, last or an index; or all")
    if table.checkpoint:
        return CHECKPOINT
    if selection.checkpoint is not None:
        raise ClaimError("this table has no checkpoints", allowed="`where` of one row, `constant: true`, `rows: all`")
    return ROW if selection.all_rows else None


def _chosen(table: Table, where: Mapping[str, str]) -> pandas.DataFrame:
    rows = table.rows
    for label, wanted in where.items():
        one_of(label, list(table.columns), "column to select by")
        matches = _matches(rows[label], wanted)
        if not matches.any():
            found = ", ".join(map(str, rows[label].unique()))
            raise ClaimError("selection is empty", label=label, value=wanted, allowed=found)
        rows = rows[matches]
    return rows


def _matches(column: pandas.Series, wanted: str) -> pandas.Series:
    if column.dtype.kind not in "iuf":
        return column.astype(str) == wanted
    try:
        return column == float(wanted)
    except ValueError as error:
        raise ClaimError("column is of numbers", label=column.name, value=wanted, allowed="a number") from error


def _by_seed(chosen: pandas.DataFrame, table: Table) -> list[pandas.DataFrame]:
    found = set(chosen[table.seed])
    if found != set(table.seeds):
        raise ClaimError("runs and params have different seeds", found=", ".join(map(str, sorted(found))),
                         allowed=", ".join(map(str, table.seeds)))  # fmt: skip
    # Split once: a comparison of all rows for each seed would be seeds times rows.
    by_seed = dict(iter(chosen.groupby(table.seed, sort=False)))
    return [by_seed[seed] for seed in table.seeds]


def _check_order(runs: list[pandas.DataFrame], checkpoint: str) -> None:
    """Two arms in one selection show up here: their steps start over."""
    if not all((run[checkpoint].diff().iloc[1:] > 0).all() for run in runs):
        raise ClaimError("checkpoints do not increase within a run: does `where` leave a label out?", label=checkpoint)


def _numbers(column: pandas.Series) -> np.ndarray:
    if column.dtype.kind not in "iuf":
        raise ClaimError("column is not of numbers", value=shown(str(column.iloc[0])))
    return column.to_numpy(dtype=np.float64)


def _one(cells: np.ndarray, rows: pandas.DataFrame, selection: Selection) -> float:
    if len(cells) > 1 and not selection.constant:
        varying = [name for name in rows if name != selection.column and rows[name].nunique(dropna=False) > 1]
        raise ClaimError("several rows, where a value has one", rows=len(cells), they_differ_in=", ".join(varying),
                         allowed="`where` of one row, `constant: true`, `rows: all`")  # fmt: skip
    if len(np.unique(cells)) > 1:
        raise ClaimError("not constant: the selected rows have different values", rows=len(cells),
                         value=f"{cells.min():.9g} to {cells.max():.9g}")  # fmt: skip
    return float(cells[0])


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
        return Quantity.measured(np.asarray(entry), wanted.unit)


def seeds_at(params: Mapping[str, Any], path: str) -> list[int]:
    """The params' list of seeds. Raises ClaimError unless it is one of different integers."""
    seeds = look_up(params, path)
    if not isinstance(seeds, list) or not seeds or any(type(seed) is not int for seed in seeds):
        raise ClaimError("param is not a list of seeds", param=path, value=shown(seeds), allowed="a list of integers")
    if len(set(seeds)) < len(seeds):
        raise ClaimError("a seed stands twice", param=path, value=shown(seeds))
    return seeds


def in_words(source: Source, tables: Mapping[str, Table], works: Mapping[str, Work]) -> str:
    """Where the values come from, for the record."""
    if isinstance(source, Parameter):
        return f"params.yaml: {source.path}"
    if isinstance(source, Figure):
        work = works[source.work]
        return f"{work.title} ({work.source}), {work.figures[source.name]['where']}"
    table = tables[source.table]
    rows = [f"{label} {wanted}" for label, wanted in source.where.items()]
    if table.checkpoint:
        names = {None: "every"} | {index: name for name, index in POSITIONS.items()}
        rows.append(f"{names.get(source.checkpoint, f'checkpoint {source.checkpoint} by')} {table.checkpoint}")
    elif source.all_rows:
        rows.append("all rows")
    elif source.constant:
        rows.append("the same in all rows")
    of = f" of {', '.join(rows)}" if rows else ""
    return f"{table.path}: {source.column}{of}"
