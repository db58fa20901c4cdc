"""Hand-written YAML, read strictly: numbers keep their digits, a key counts once, a slip is named.

Who raises a ClaimError deep down knows the value that is off; who called knows the file and the claim. `naming` adds
the outer names as the error passes, so that every message ends up with all of them.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from postproof.errors import ClaimError
from postproof.strict_yaml import StrictLoader


@contextlib.contextmanager
def naming(**context: Any) -> Iterator[None]:
    """Puts `context` in front of that of any ClaimError raised inside."""
    try:
        yield
    except ClaimError as error:
        error.context = context | error.context
        raise


class _Loader(StrictLoader):
    """Without numbers and dates, since 25.310 says more than 25.31."""


_KEPT_AS_TEXT = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp")}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _KEPT_AS_TEXT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(path: Path | str) -> dict[str, Any]:
    """The file's mapping, with every number as the text typed.

    Raises ClaimError when the file cannot be read, is not YAML, is no mapping or repeats a key.
    """
    with naming(file=path):
        try:
            content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ClaimError("cannot read YAML") from error
        return mapping(content)


def mapping(content: Any, required: Collection[str] = (), optional: Collection[str] | None = None) -> dict[str, Any]:
    """`content` as a mapping that has the `required` keys and, unless `optional` is None, no others but those.

    Raises ClaimError naming the key.
    """
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        raise ClaimError("not a mapping with words as keys", value=shown(content))
    if optional is not None:
        for key in content:
            one_of(key, [*required, *optional], "key")
    for key in required:
        if key not in content:
            raise ClaimError(f"key '{key}' is missing", found=", ".join(content) or "nothing")
    return dict(content)


def text(content: Any) -> str:
    """`content` as text with something in it. Raises ClaimError otherwise."""
    if not isinstance(content, str) or not content.strip():
        raise ClaimError("not a text", value=shown(content), allowed="a text that is not empty")
    return content.strip()


def one_of(name: Any, allowed: Collection[str], kind: str) -> str:
    """`name`, if it is allowed.

    Raises ClaimError with the nearest allowed name, if one is near.
    """
    if not isinstance(name, str) or name not in allowed:
        near = difflib.get_close_matches(str(name), allowed, n=1)
        raise ClaimError(
            f"unknown {kind}: {shown(name)}",
            value=shown(name),
            allowed=", ".join(allowed) or "none",
            remedy=f"did you mean '{near[0]}'?" if near else "",
        )
    return name


def shown(content: Any, width: int = 80) -> str:
    """`content` in short, for a message."""
    whole = content if isinstance(content, str) else repr(content)
    return whole if len(whole) <= width else whole[: width - 3] + "..."
