"""Hand-written entries, checked strictly: a slip is named, with all that one needs to find it.

Who raises a ClaimError deep down knows the value that is off; who called knows the file and the claim. `naming` adds
the outer names as the error passes, so that every message ends up with all of them.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from postproof.core.errors import ArtefactError, ClaimError, UnitError


@contextlib.contextmanager
def naming(**context: Any) -> Iterator[None]:
    """Puts `context` in front of that of any ClaimError raised inside.

    A unit, a table or a schema that is off becomes a ClaimError here: for who writes claims it is one family.
    """
    try:
        yield
    except ClaimError as error:
        error.context = context | error.context
        raise
    except (UnitError, ArtefactError) as error:
        raise ClaimError(error.message, remedy=error.remedy, **(context | error.context)) from error.__cause__


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
