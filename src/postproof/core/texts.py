"""Text that a user wrote, read in one way: whatever editor and system it comes from, the same text is the same text."""

from __future__ import annotations

from pathlib import Path


def read(path: Path | str) -> str:
    """A UTF-8 file with `\\n` at every line's end (in place of CRLF and CR) and without a byte order mark.

    Raises OSError when it cannot be read, and UnicodeDecodeError with the first byte that is not UTF-8.
    """
    return Path(path).read_text(encoding="utf-8-sig")
