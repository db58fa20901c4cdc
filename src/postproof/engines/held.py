"""Put the inputs that are not ours to ship in place: from a folder of yours or from the hub, checked by their hash.

Each stands in data/held/{name}.yaml: what it is, where it comes from, and how to know it. What was made from one is
recorded in data/recorded (recorded.py), so that nobody needs it who does not want to check.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from postproof.core import files, strict_yaml, texts
from postproof.core.errors import DataError
from postproof.data import hub

FOLDER = "POSTPROOF_HELD"  # environment variable: a folder that has the files by their file_name


@dataclasses.dataclass(frozen=True)
class Held:
    """A text as data/held describes it."""

    what: str
    source: str
    licence: str
    file_name: str  # in a folder of a reader's
    path: str  # in the checkout
    from_hub: str  # a corpus of data/hub.py
    characters: int
    sha256: str  # of its UTF-8 bytes
    block_characters: int
    block_sha256: tuple[str, ...]  # first eight digits of each block's

    def check(self, text: str, file: Path | str) -> None:
        """Raises DataError unless it is this text, saying where it begins to be another."""
        if _sha256(text) == self.sha256:
            return
        found: dict[str, object] = {"file": file, "allowed": f"sha256 {self.sha256}"}
        found |= {"characters_found": len(text), "characters_needed": self.characters}
        if _sha256(text[: self.characters]) == self.sha256:
            remedy = f"cut it after {self.characters} characters"
        else:
            remedy = f"take {self.what}: {self.source}"
            size = self.block_characters
            starts = range(0, self.characters, size)
            for start, expected in zip(starts, self.block_sha256, strict=True):
                if _sha256(text[start : min(start + size, self.characters)])[:8] != expected:
                    found["first_difference"] = f"among characters {start} to {start + size - 1}"
                    break
        raise DataError("not the text that the recorded runs were made from", **found, remedy=remedy)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def add_arguments(parser) -> None:
    parser.add_argument("--folder", type=Path, default=os.environ.get(FOLDER) or None,
                        help=f"where you have the files; without it ${FOLDER}, or the hub is asked")  # fmt: skip


def main(args) -> None:
    for file in place(Path.cwd(), args.folder):
        print(f"{file}: in place, as its hash says")


def read_all(root: Path) -> list[Held]:
    """All that stand in data/held. Raises DataError for a file that is not of that form."""
    fields = {field.name for field in dataclasses.fields(Held)}
    found = []
    for path in sorted((root / "data/held").glob("[!.]*.yaml")):
        content = strict_yaml.load(path, DataError)
        if not isinstance(content, Mapping) or set(content) != fields:
            raise DataError("not a held input", file=path, allowed=f"the keys {', '.join(sorted(fields))}")
        found.append(Held(**content | {"block_sha256": tuple(content["block_sha256"])}))
    return found


def place(root: Path, folder: Path | None) -> list[str]:
    """Copies or fetches what is not in place; paths of all.

    Raises DataError when there is no such folder, a text is another than it should be, or can be had from nowhere. A
    wrong one is not put in place, and what was in place stays.
    """
    folder = folder and folder.expanduser()  # a shell leaves `~` alone in quotes
    if folder and not folder.is_dir():
        remedy = f"name the one that has the texts: {FOLDER}=FOLDER"
        raise DataError("there is no such folder", folder=folder, remedy=remedy)
    paths = []
    for held in read_all(root):
        path, own = root / held.path, Path(folder, held.file_name) if folder else None
        if path.exists():
            held.check(text_of(path), path)
        elif own is not None and own.exists():
            text = text_of(own)
            held.check(text, own)
            files.write_text(path, text)
        else:
            files.write_text(path, fetched(held))
        paths.append(held.path)
    return paths


def text_of(path: Path) -> str:
    """As texts.read gives it. Raises DataError when it cannot be read."""
    try:
        return texts.read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("cannot read the text", file=path, remedy="it has to be UTF-8") from error


def fetched(held: Held) -> str:
    """From the hub. Raises DataError when the hub cannot be reached, or has another text now."""
    remedy = f"go online after `make .venv/hub`, or name a folder that has {held.file_name}: {FOLDER}=FOLDER"
    try:
        text = hub.first_characters(
            hub.texts(held.from_hub, remedy), held.characters, hub.SOURCES[held.from_hub].separator
        )
    except DataError as error:
        raise DataError(
            "an input that is not ours to ship is not at hand",
            file=held.path,
            what=held.what,
            source=held.source,
            remedy=remedy,
        ) from error
    held.check(text, f"{held.from_hub} on the hub")
    return text
