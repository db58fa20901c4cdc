"""Cells that stand in an expression: `race[arm=moe, protocol=as_posted, last].val_perplexity`.

In the brackets, separated by commas: `label=value` for each label to select by, and, where the table has checkpoints,
`first`, `last` or an index; of another table `all` for a value per row, `constant` for the one number of several rows.
A published figure is `{work}.{figure}` in data/published/{work}.yaml, written `published[work].figure`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

CELL = re.compile(r"(?P<table>[a-z][a-z0-9_]*(/[a-z0-9_]+)?)\[(?P<inside>[^\[\]]*)\]\.(?P<column>[a-z_][a-z0-9_]*)")
PUBLISHED = "published"
ALL, CONSTANT = "all", "constant"


def entries(content: Any) -> Iterator[dict[str, Any]]:
    """Those of every text of a YAML document."""
    for text in texts_in(content):
        for match in CELL.finditer(text):
            yield entry(match)


def entry(match: re.Match) -> dict[str, Any]:
    """The entry under `values` that says the same as the cell."""
    parts = [part.strip() for part in match["inside"].split(",") if part.strip()]
    if match["table"] == PUBLISHED:
        return {"figure": f"{match['inside'].strip()}.{match['column']}"}
    found: dict[str, Any] = {"table": match["table"], "column": match["column"]}
    labels = dict(tuple(map(str.strip, part.split("=", 1))) for part in parts if "=" in part)
    if labels:
        found["where"] = labels
    for part in parts:
        if "=" not in part:
            key, value = {ALL: ("rows", ALL), CONSTANT: (CONSTANT, True)}.get(part, ("checkpoint", part))
            found[key] = value
    return found


def texts_in(content: Any) -> Iterator[str]:
    """Every text in a YAML document, however deep."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for value in content.values():
            yield from texts_in(value)
    elif isinstance(content, list):
        for value in content:
            yield from texts_in(value)
