"""The parts of an interactive twin that another page takes over: results/{post}/interactive/{chart}.html.

interactive/page.py gives each part an id, by which its script finds it; they are found here by the same ids.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from markupsafe import Markup

from postproof.core.errors import ArtefactError

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass(frozen=True)
class Parts:
    """HTML inside the elements of these ids, as it stands in the twin's page, where texts are escaped."""

    twin: Markup  # JSON: the specification
    switches: Markup
    keys: Markup
    values: Markup


def read(path: Path) -> Parts:
    """Raises ArtefactError when the page cannot be read or lacks a part."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArtefactError("cannot read an interactive chart", file=path) from error
    wanted = tuple(Parts.__dataclass_fields__)
    reader = _Reader(text, wanted)
    reader.feed(text)
    missing = [name for name in wanted if name not in reader.found]
    if missing:
        raise ArtefactError("not the page of an interactive chart: a part is missing", file=path, id=missing[0])
    return Parts(**{name: Markup(reader.found[name]) for name in wanted})


class _Reader(HTMLParser):
    """Finds what stands between the tags of each wanted id. End tags may be left out, as those of cells are."""

    def __init__(self, text: str, wanted: tuple[str, ...]):
        super().__init__(convert_charrefs=False)
        self.text, self.wanted = text, wanted
        self.found: dict[str, str] = {}
        self.open: list[tuple[str, str, int]] = []  # tag, id, where its content starts
        # HTMLParser counts lines by "\n" alone.
        self.starts = [0, *itertools.accumulate(len(line) + 1 for line in text.split("\n"))]

    def place(self) -> int:
        line, column = self.getpos()
        return self.starts[line - 1] + column

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            content = self.place() + len(self.get_starttag_text() or "")
            self.open.append((tag, dict(attributes).get("id") or "", content))

    def handle_endtag(self, tag: str) -> None:
        if not any(tag == each for each, _, _ in self.open):
            return
        while True:
            opened, name, start = self.open.pop()
            if name in self.wanted and name not in self.found and opened == tag:
                self.found[name] = self.text[start : self.place()]
            if opened == tag:
                return
