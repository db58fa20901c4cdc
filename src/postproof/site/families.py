"""What several posts speak of: claims of more than one post that one public fact decides, side by side.

A family is found, not listed: a published work whose figures claims of several posts repeat, the rows of one label in a
table that several posts have (a model in the table of public models), a claim whose number another post's claim names,
and a post's own number that it gives differently elsewhere. Within a family the claims that rest on the same number
stand together, and posted numbers that differ are pointed out.
"""

from __future__ import annotations

import itertools
from ast import Name
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from postproof.claims.artefacts import Figure, Selection, Work
from postproof.claims.document import Claim, Document
from postproof.claims.rules import same_as

Record = Mapping[str, Any]
Key = tuple[str, str]  # kind, name


@dataclass(frozen=True)
class Group:
    """Claims that rest on one and the same number. `differs`: posts give other numbers for it."""

    what: str
    records: tuple[Record, ...]
    differs: bool


@dataclass(frozen=True)
class Family:
    """`groups` are of several posts; `others` speak of the same thing, each of something else about it."""

    kind: str
    name: str
    title: str
    href: str
    groups: tuple[Group, ...]
    others: tuple[Record, ...]

    @property
    def anchor(self) -> str:
        return f"family-{self.name.replace('_', '-')}"

    @property
    def posts(self) -> list[str]:
        return sorted({record["post"] for record in self.records})

    @property
    def records(self) -> list[Record]:
        of_groups = [record for group in self.groups for record in group.records]
        return [*{record["id"]: record for record in [*of_groups, *self.others]}.values()]


@dataclass
class _Found:
    title: str
    href: str
    cells: dict[str, dict[str, Claim]] = field(default_factory=dict)


def find(
    documents: Sequence[Document], records: Sequence[Record], shared: Sequence[str], works: Mapping[str, Work]
) -> list[Family]:
    """The families, those with the most posts first. `shared`: names of tables that several posts have."""
    by_id = {record["id"]: record for record in records}
    claims = {claim.id: (document, claim) for document in documents for claim in document.claims}
    found: dict[Key, _Found] = {}
    for document, claim in claims.values():
        for key, title, href, cell in spoken_of(document, claim, shared, works):
            found.setdefault(key, _Found(title, href)).cells.setdefault(cell, {})[claim.id] = claim
        for other in named(claim):
            if other in claims and claims[other][0].post != document.post:
                key = ("claim", other)
                own = claims[other][1]
                entry = found.setdefault(key, _Found(own.statement, f"{claims[other][0].post}.html#{other}"))
                entry.cells.setdefault("its number", {}).update({other: own, claim.id: claim})
    families = [_family(key, entry, by_id) for key, entry in found.items()]
    families = [family for family in families if len(family.posts) > 1]
    return sorted(families, key=lambda family: (-len(family.posts), -len(family.groups), family.title))


def spoken_of(
    document: Document, claim: Claim, shared: Sequence[str], works: Mapping[str, Work]
) -> Iterator[tuple[Key, str, str, str]]:
    """Of each public number that decides the claim: the family, its title and link, and the number's name."""
    expressions = [*claim.expressions, *([claim.prediction] if claim.prediction else [])]
    for name in dict.fromkeys(name for each in expressions for name in each.values):
        source = document.values[name]
        if isinstance(source, Figure) and source.work in works:
            work = works[source.work]
            yield (
                ("work", source.work),
                f"{work.title} ({work.source})",
                f"data/published/{source.work}.yaml",
                source.name,
            )
        elif isinstance(source, Selection) and source.table.partition("/")[2] in shared:
            table = source.table.partition("/")[2]
            labels = " ".join(f"{label} {value}" for label, value in sorted(source.where.items()))
            words = f"{table.replace('_', ' ')}: {labels or 'every row'}"
            key = ("rows", f"{table}-{labels.replace(' ', '-') or 'every-row'}")
            yield key, words, f"workflow/schemas/tables/published/{table}.yaml", source.column


def named(claim: Claim) -> list[str]:
    """Claims whose posted number this one uses, in what decides it or in its texts."""
    expressions = [*claim.expressions, *(shown.got for shown in claim.numbers.values())]
    options = [reading.test.options.get("claim") for reading in claim.readings]
    return list(dict.fromkeys([*(name for each in expressions for name in each.claims), *filter(None, options)]))


def _family(key: Key, found: _Found, by_id: Mapping[str, Record]) -> Family:
    groups, grouped = [], set()
    for what, claims in found.cells.items():
        records = tuple(by_id[name] for name in claims if name in by_id)
        if len({record["post"] for record in records}) > 1:
            # A claim may use another post's number to speak of something else: what follows its rule has a verdict.
            differs = key[0] != "claim" and differ(list(claims.values()))
            groups.append(Group(what, records, differs))
            grouped |= set(claims)
    every = {name: by_id[name] for claims in found.cells.values() for name in claims if name in by_id}
    others = tuple(record for name, record in every.items() if name not in grouped)
    return Family(*key, found.title, found.href, tuple(groups), others)


def differ(claims: Sequence[Claim]) -> bool:
    """Whether claims of bare numbers, in one unit, give others: the coarser of two is not the finer one rounded."""
    bare = [
        claim.number for claim in claims if claim.number and {type(each.tree) for each in claim.expressions} == {Name}
    ]
    pairs = itertools.combinations(bare, 2)
    return any(one.unit == other.unit and not same_as(one.value, other.value, "").holds for one, other in pairs)
