"""Files that are either whole or not there, and the same bytes for the same content.

Every write goes to a temporary file beside the target, is flushed to disk and then renamed over it: a reader,
or the next run after a crash, sees the old file or the new one and never a part. Every read checks what it needs
and names the file when something is off.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postproof.core import texts
from postproof.core.errors import ArtefactError

if TYPE_CHECKING:
    import pandas
    import torch

# Nine significant digits tell any two float32 numbers apart, and hide the last bits of float64, in which the
# mathematical libraries of two systems may differ.
FLOAT_FORMAT = "%.9g"
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[-+]\d{2,3})?")


def sha256(path: Path | str) -> str:
    """Hex digest of the file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5(path: Path | str) -> str:
    """Hex digest by which DVC knows the file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


@contextlib.contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yields a temporary path beside `path`; on a clean exit it becomes `path`, on an exception it is removed.

    Raises ArtefactError when the system refuses: no space, no permission, a folder in its place.
    """
    path = Path(path)
    # The suffix stays last: matplotlib and pandas choose the format by it.
    temporary = path.with_name(f".{path.name}.tmp{os.getpid()}{path.suffix}")
    try:
        _make_folder(path.parent)
        for left in path.parent.glob(f".{path.name}.tmp*"):
            if not is_running(left.name.removeprefix(f".{path.name}.tmp").partition(".")[0]):
                left.unlink(missing_ok=True)
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        remedy = "see that the disk has space, and that the folder can be written and holds no folder of this name"
        raise ArtefactError("cannot write", file=path, remedy=remedy) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _make_folder(folder: Path) -> None:
    """With those above it; the name of a new one is put on disk, or the power could take it with all that is in it."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def is_running(process: str) -> bool:
    """Whether another process of this number may still be at work: what it writes is not ours to remove."""
    if not process.isdigit() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it runs, as another user
    return True


def _sync_folder(folder: Path) -> None:
    """Puts the folder's entries on disk: a rename that is not there yet would be lost with the power."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path | str) -> None:
    """Removes the file, if it is there, so that no power cut brings it back. Raises ArtefactError as `atomic` does."""
    path = Path(path)
    try:
        path.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise ArtefactError("cannot remove", file=path, remedy="see that the folder can be written") from error


def write_text(path: Path | str, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path | str, content: Any) -> None:
    """Indented JSON in the order given. NaN and infinities have no JSON and raise ValueError."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Raises ArtefactError when the file is missing or not JSON, or nested more deeply than Python reads."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ArtefactError("cannot read JSON", file=path) from error


def write_csv(path: Path | str, table: pandas.DataFrame) -> None:
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, float_format=FLOAT_FORMAT, lineterminator="\n", encoding="utf-8")


def read_csv(
    path: Path | str,
    columns: Sequence[str] = (),
    numbers: Sequence[str] = (),
    labels: Sequence[str] = (),
    words: Sequence[str] = (),
) -> pandas.DataFrame:
    """The table, with at least `columns` and `numbers`; the latter hold finite numbers only.

    A column of `labels` holds numbers only where each is written as numbers are, and not as `1e5`, `007`, `inf` or
    `true`; one of `words` holds text, whatever is written there. An empty cell has no value in any column.

    Raises ArtefactError when the file is missing, empty, cut off in its last line, lacks a column or a number.
    """
    import numpy
    import pandas

    path = Path(path)
    try:
        text = texts.read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ArtefactError("cannot read table", file=path) from error
    if not text.endswith("\n"):
        raise ArtefactError("table is empty or cut off: no end of line at its end", file=path)
    # Only an empty cell has no value: words such as None, NA and null are data.
    read = functools.partial(pandas.read_csv, keep_default_na=False, na_values=[""])
    try:
        as_typed = read(io.StringIO(text), dtype=str, usecols=lambda name: name in labels) if labels else {}
        named = [name for name in labels if name in as_typed and not _are_numbers(as_typed[name].dropna().unique())]
        table = read(io.StringIO(text), dtype=dict.fromkeys([*named, *words], str))
    except ValueError as error:
        raise ArtefactError("cannot read table", file=path) from error
    if not isinstance(table.index, pandas.RangeIndex):
        raise ArtefactError("table has rows longer than its header", file=path)
    if table.empty:
        raise ArtefactError("table has no rows", file=path)
    missing = [column for column in (*columns, *numbers) if column not in table.columns]
    if missing:
        raise ArtefactError(
            f"table lacks column {', '.join(missing)}",
            file=path,
            columns_found=", ".join(table.columns),
        )
    for column in numbers:
        if not pandas.api.types.is_numeric_dtype(table[column]) or not numpy.isfinite(table[column]).all():
            raise ArtefactError("table holds a cell that is not a finite number", file=path, column=column)
    return table


def _are_numbers(cells: Iterable[str]) -> bool:
    """Or truth values as pandas writes them: what a table of ours has in place of words."""
    return all(_NUMBER.fullmatch(cell) or cell in ("True", "False") for cell in cells)


def save_tensors(path: Path | str, tensors: Mapping[str, torch.Tensor], metadata: Any = None) -> None:
    """Writes safetensors. `metadata` is one JSON value: several keys would be written in no fixed order."""
    from safetensors.torch import save

    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic(path) as temporary:
        # Not `save_file`: it writes through a temporary file of its own, of any name, which a killed run would leave.
        temporary.write_bytes(save(contiguous, metadata={"json": json.dumps(metadata)}))


def load_tensors(path: Path | str) -> tuple[dict[str, torch.Tensor], Any]:
    """Tensors by name, and the metadata given to `save_tensors`.

    Raises ArtefactError when the file is missing, truncated or no safetensors of ours.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})["json"])
            return {name: file.get_tensor(name) for name in file.keys()}, metadata
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ArtefactError("cannot read tensors: missing, truncated or not ours", file=path) from error
