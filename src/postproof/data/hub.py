"""Fetch a corpus from a data hub through `datasets` (optional extra `hub`) as one plain text."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Iterable
from pathlib import Path

from postproof.core import files
from postproof.core.errors import DataError


@dataclasses.dataclass(frozen=True)
class Source:
    """Arguments of `datasets.load_dataset`, and the column that holds the text."""

    path: str
    name: str | None
    column: str
    separator: str


SOURCES = {
    "tinystories": Source("roneneldan/TinyStories", None, "text", "\n"),
    "wikitext2": Source("Salesforce/wikitext", "wikitext-2-raw-v1", "text", ""),
}


@dataclasses.dataclass(frozen=True)
class Unreachable:
    """The hub did not answer; `reason` is what its client said."""

    reason: str


def add_arguments(parser) -> None:
    parser.add_argument("--corpus", choices=SOURCES, required=True)
    parser.add_argument("--characters", type=int, nargs="+", required=True,
                        help="how many to take from its start; of several uses, the most counts")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="UTF-8 text")


def main(args) -> None:
    remedy = f"go online, or put the text at {args.out} yourself, or take another corpus"
    rows = texts(args.corpus, remedy)
    files.write_text(args.out, first_characters(rows, max(args.characters), SOURCES[args.corpus].separator))


def texts(corpus: str, remedy: str) -> Iterable[str]:
    """The corpus as a stream of texts. Raises DataError, with the remedy, when the hub cannot be asked."""
    if importlib.util.find_spec("datasets") is None:
        raise DataError(
            "the package `datasets` is not installed",
            corpus=corpus,
            remedy="pip install -r requirements-hub.lock, or take another corpus (params.yaml, mixtral.corpus.source)",
        )
    rows = open_rows(SOURCES[corpus])
    if isinstance(rows, Unreachable):
        raise DataError("the data hub cannot be reached", corpus=corpus, hub_said=rows.reason, remedy=remedy)
    return rows


def open_rows(source: Source, **load_options) -> Iterable[str] | Unreachable:
    """The texts of the training split as a stream. `load_options` go to `load_dataset`, e.g. `data_files`."""
    import datasets

    try:
        stream = datasets.load_dataset(source.path, source.name, split="train", streaming=True, **load_options)
        next(iter(stream))
    except (OSError, StopIteration, datasets.exceptions.DatasetsError, RuntimeError) as error:
        # ConnectionError and the hub's HTTP errors are OSErrors; a closed client shows as RuntimeError.
        return Unreachable(f"{type(error).__name__}: {error}".split("\n")[0])
    return (row[source.column] for row in stream)


def first_characters(texts: Iterable[str], characters: int, separator: str) -> str:
    """The texts joined by `separator`, cut after `characters`.

    Raises DataError when there are fewer.
    """
    parts, length = [], 0
    for text in texts:
        parts.append(text + separator)
        length += len(parts[-1])
        if length >= characters:
            return "".join(parts)[:characters]
    raise DataError("corpus is too short", characters_found=length, characters_needed=characters)
