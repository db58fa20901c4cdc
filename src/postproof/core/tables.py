"""Tables whose columns stand once, in workflow/schemas/tables/{post}/{table}.yaml: one writer and one reader.

A schema maps each column, in the order of the file, to

    unit          a unit of core/units.py, or `label` for a column that names rows
    description   what it is, in words
    at_least, at_most   optional: range of its numbers
    one_of        optional: the labels that may stand there
    may_be_empty  optional, `true`: a cell may have no value
    from_params   optional, of the column `seed`: the list in params.yaml whose seeds the runs of the table have
    checkpoint    optional, `true`: the rows of a run are its checkpoints, in the order of this column
    level         optional, of a bound of an interval: the share of repetitions in which the interval holds the value
    words         optional, `true`, of a label: words of a text, or a user's own; text also where all look like numbers
    tells_rows    optional, `true`: the number says which case a row is of; no claim or chart need use it

A schema with `like: {post}/{table}` has that one's columns; what it says of a column itself comes on top.

`write` refuses a frame that is not of its schema, and `read` refuses a file that is not, so a chart or a claim gets the
columns that the schema promises or an error that names the file and the column. A table is named `{post}/{table}` in
the code; that literal is also how the schema becomes an input of the job (engines/codegraph.py).
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from postproof.core import files
from postproof.core.errors import ArtefactError
from postproof.core.strict_yaml import StrictLoader
from postproof.core.units import LABEL

if TYPE_CHECKING:
    import pandas

# What a spreadsheet would run, and what breaks the line of a CSV file or hides what comes after it.
_UNFIT = re.compile(r"\s*[=@]|\s*[+-](?!\s*[\d.]*\s*$)|[^\r\n\0]*[\r\n\0]")
SCHEMAS = Path(__file__).parents[3] / "workflow/schemas/tables"


@dataclasses.dataclass(frozen=True)
class Column:
    """One column as its schema states it. `unit` is the text; `label` for no quantity."""

    name: str
    unit: str
    description: str
    at_least: float | None = None
    at_most: float | None = None
    one_of: tuple | None = None
    may_be_empty: bool = False
    from_params: str | None = None
    checkpoint: bool = False
    level: float | None = None
    words: bool = False
    tells_rows: bool = False

    @property
    def is_label(self) -> bool:
        return self.unit == LABEL


KEYS = {field.name for field in dataclasses.fields(Column)} - {"name"}


@functools.cache
def schema(name: str) -> dict[str, Column]:
    """The columns of the table `{post}/{table}` by name, in order.

    Raises ArtefactError when there is no such schema.
    """
    return read_schema(SCHEMAS / f"{name}.yaml")


def load(path: Path, loader: type) -> Any:
    """What the file says, with the columns that it has from another by `like`; nothing is checked.

    Raises OSError, UnicodeDecodeError, YAMLError.
    """
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    if isinstance(content, dict) and "like" in content:
        own = dict(content)
        columns = load(base_of(path, own.pop("like")), loader)
        content = {name: entry | own.pop(name, {}) for name, entry in columns.items()} | own
    return content


def base_of(path: Path, like: str) -> Path:
    """The schema {post}/{table} beside the one at `path`."""
    return path.parents[1] / f"{like}.yaml"


def read_schema(path: Path) -> dict[str, Column]:
    """Units are read by who computes with them: a new one in core/units.py is then no change to every job.

    Raises ArtefactError naming file and column when the file is missing or no schema.
    """
    remedy = "mend the schema; core/tables.py says what it holds"
    try:
        content = load(path, StrictLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ArtefactError("cannot read the schema of a table", file=path, remedy=remedy) from error
    if not isinstance(content, dict) or not content:
        raise ArtefactError("schema has no columns", file=path, remedy=remedy)
    columns = {}
    for name, entry in content.items():
        keys = set(entry) if isinstance(entry, dict) else set()
        if not {"unit", "description"} <= keys <= KEYS or not str(entry["description"]).strip():
            raise ArtefactError("not a column", file=path, column=name, value=entry,
                                allowed=", ".join(sorted(KEYS)), remedy=remedy)  # fmt: skip
        if "one_of" in entry:
            entry = entry | {"one_of": tuple(entry["one_of"])}
        columns[name] = Column(name, **(entry | {"unit": str(entry["unit"])}))
    return columns


def path_of(name: str, results: str = "results") -> str:
    """Where the table {post}/{table} stands in the repository: a metrics table in `results`, by its ending elsewhere.

    {post}/posted_{table} is what the post's author published, data/posted/{post}/{table}.csv; {post}/measured_{table}
    is a folder, data/measured/{table}, with a CSV of each machine.
    """
    post, _, table = name.partition("/")
    for kind, path in (("posted_", f"data/posted/{post}/{{}}.csv"), ("measured_", "data/measured/{}")):
        if table.startswith(kind):
            return path.format(table.removeprefix(kind))
    return f"{results}/{post}/metrics/{table}.csv"


def name_of(path: Path) -> str:
    """The other way round; of a measurement's CSV the name without its post."""
    above, folder = path.parts[-3:-1]
    if above == "measured":
        return f"measured_{folder}"
    return f"{folder}/posted_{path.stem}" if above == "posted" else f"{above}/{path.stem}"


def write(path: Path | str, frame: pandas.DataFrame, name: str) -> None:
    """Writes the frame as the table `name`, whole or not at all.

    Raises ArtefactError when columns, their order, types or ranges are not those of the schema: a fault of the caller.
    """
    check(frame, schema(name), path, remedy=f"make code and workflow/schemas/tables/{name}.yaml agree")
    files.write_csv(path, frame)


def read(path: Path | str, name: str) -> pandas.DataFrame:
    """The table `name` from a file, checked against its schema.

    Raises ArtefactError when the file is missing, empty, cut off, or its columns, types or ranges are others.
    """
    columns = schema(name)
    frame = read_file(path, columns)
    check(frame, columns, path)
    return frame


def read_file(path: Path | str, columns: Mapping[str, Column]) -> pandas.DataFrame:
    """The file's cells, labels told from numbers by the columns; nothing else is checked."""
    labels = [column.name for column in columns.values() if column.is_label]
    words = [name for name in labels if columns[name].words]
    return files.read_csv(path, labels=labels, words=words)


def read_all(paths: Sequence[Path], names: Sequence[str]) -> list[pandas.DataFrame]:
    """The tables `names` from as many files, in order. Raises ArtefactError as `read` does."""
    return [read(path, name) for path, name in zip(paths, names, strict=True)]


def must_hold(file: Path | str, identities: Mapping[str, Any], remedy: str = "") -> None:
    """Raises ArtefactError with the first identity that the table in `file` breaks."""
    for identity, holds in identities.items():
        if not holds:
            raise ArtefactError("table breaks an identity", file=file, identity=identity, remedy=remedy)


def check(frame: pandas.DataFrame, columns: Mapping[str, Column], file: Path | str, remedy: str = "") -> None:
    """Raises ArtefactError naming file and column unless the frame has these columns, in order and in their ranges."""
    found = list(frame.columns)
    missing = [column for column in columns if column not in found]
    unknown = [column for column in found if column not in columns]
    if missing:
        raise ArtefactError(f"table lacks column {', '.join(missing)}", file=file, columns_found=", ".join(found),
                            remedy=remedy)  # fmt: skip
    if unknown:
        raise ArtefactError(f"table has column {', '.join(unknown)}, which its schema has not", file=file,
                            allowed=", ".join(columns), remedy=remedy)  # fmt: skip
    if found != list(columns):
        raise ArtefactError("columns stand in another order than in the schema", file=file,
                            columns_found=", ".join(found), allowed=", ".join(columns), remedy=remedy)  # fmt: skip
    for column in columns.values():
        _check_column(frame[column.name], column, file, remedy)


def _check_column(values: pandas.Series, column: Column, file: Path | str, remedy: str) -> None:
    import numpy
    import pandas

    where = {"file": file, "column": column.name, "remedy": remedy}
    if values.isna().any() and not column.may_be_empty:
        what = "an empty cell" if column.is_label else "a cell that is not a finite number"
        raise ArtefactError(f"table holds {what}", **where)
    values = values.dropna()
    if column.one_of is not None:
        others = sorted(set(values) - set(column.one_of), key=str)
        if others:
            raise ArtefactError("table holds a label that its schema has not", value=others[0],
                                allowed=", ".join(map(str, column.one_of)), **where)  # fmt: skip
    if column.is_label and not column.words:  # words are what they are
        unfit = [text for text in dict.fromkeys(values) if isinstance(text, str) and _UNFIT.match(text)]
        if unfit:
            raise ArtefactError("table holds a label that is a formula to a spreadsheet, or no line of text",
                                value=repr(unfit[0]), allowed="text without line ends that does not begin with = @ "
                                "or a sign that is no number's", **where)  # fmt: skip
    if column.is_label or values.empty:
        return
    if not pandas.api.types.is_numeric_dtype(values) or not numpy.isfinite(values.astype(float)).all():
        raise ArtefactError("table holds a cell that is not a finite number", **where)
    for bound, outside in (
        (column.at_least, values < column.at_least if column.at_least is not None else None),
        (column.at_most, values > column.at_most if column.at_most is not None else None),
    ):
        if outside is not None and outside.any():
            allowed = f"{'at least' if bound == column.at_least else 'at most'} {bound:g}"
            raise ArtefactError("table holds a number out of range", value=f"{values[outside].iloc[0]:.9g}",
                                allowed=allowed, **where)  # fmt: skip
