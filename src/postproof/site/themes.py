"""What several posts speak of, as an author groups it: claims/families/{name}.yaml, a page each.

    title: The cache of keys and values
    what: One sentence on what its claims have in common.
    claims: [kv_cache_*, decode_bytes_*]     # ids, `*` for any part of one

Which of its claims rest on the same number is found (families.py), not listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from postproof.claims.strict import mapping, naming, shown, text
from postproof.core import strict_yaml
from postproof.core.errors import ClaimError
from postproof.site.families import Family, Group

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Theme:
    """`records` in the order of posts, and of each post; `groups`: those that rest on one number, over posts."""

    name: str
    title: str
    what: str
    records: tuple[Record, ...]
    groups: tuple[tuple[str, Group], ...]  # the public fact, and what of it

    @property
    def page(self) -> str:
        return f"family-{self.name}.html"

    @property
    def posts(self) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {}
        for record in self.records:
            found.setdefault(record["post"], []).append(record)
        return found


def read(path: Path, records: Sequence[Record], families: Sequence[Family]) -> Theme:
    """`records`: those that count, of all posts.

    Raises ClaimError when the file is no such thing, or a pattern is that of no claim.
    """
    with naming(file=path):
        content = mapping(strict_yaml.load(path, ClaimError), ("title", "what", "claims"), ())
        patterns = content["claims"]
        if not isinstance(patterns, list) or not patterns:
            raise ClaimError("not a list of claims", key="claims", value=shown(patterns))
        with naming(key="claims"):
            patterns = [text(pattern) for pattern in patterns]
        for pattern in patterns:
            if not any(fnmatchcase(record["id"], pattern) for record in records):
                raise ClaimError("no claim of this name", key="claims", value=pattern,
                                 remedy="`postproof claims.show --ids` lists them")  # fmt: skip
        members = [record for record in records if any(fnmatchcase(record["id"], each) for each in patterns)]
        return Theme(path.stem, text(content["title"]), text(content["what"]), tuple(members),
                     tuple(on_one_number({record["id"] for record in members}, families)))  # fmt: skip


def on_one_number(members: set[str], families: Sequence[Family]) -> list[tuple[str, Group]]:
    """The members that more than one post rests on one number, by the families that were found; each set once."""
    found: dict[frozenset[str], tuple[str, Group]] = {}
    for family in families:
        for group in family.groups:
            here = tuple(record for record in group.records if record["id"] in members)
            if len({record["post"] for record in here}) > 1:
                key = frozenset(record["id"] for record in here)
                found.setdefault(key, (family.title.rstrip("."), Group(group.what, here, group.differs)))
    return list(found.values())
