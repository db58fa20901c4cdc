"""How the claims were found, as a measurement: what of a post they cover, what a second reader found, and what came
first, the rule or the result.

data/readings/{post}.csv is a reading of the post by somebody who had not seen its claims: statements in own words, each
judged, with the claim that says the same where there is one, and the verdict that this had before anything was mended
because of the reading. claims/{post}.numbers.csv lists every number and sentence
of the post's text (engines/coverage.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postproof.claims import Verdict
from postproof.core.errors import ArtefactError
from postproof.site import history
from postproof.site.sources import read_rows

Record = Mapping[str, Any]

JUDGED = {
    "right": (Verdict.HOLDS, Verdict.REPRODUCED, Verdict.AS_IN_SOURCE),
    "wrong": (Verdict.DOES_NOT_HOLD, Verdict.NOT_REPRODUCED),
    "depends": (Verdict.HOLDS_IF,),
    "open": (Verdict.NOT_CHECKED, Verdict.UNDECIDED),
}
WORD_OF = {verdict.value: word for word, verdicts in JUDGED.items() for verdict in verdicts}
READING = ("place", "statement", "judged", "because", "claim", "verdict", "note")
INVENTORY = ("kind", "claim", "reason")
NUMBERS, SENTENCES = ("number", "word"), ("sentence",)  # of an inventory; names count nothing


@dataclass(frozen=True)
class Covered:
    """Of a post's numbers and sentences how many there are, and how many a claim or finding speaks of; the rest has a
    reason why none does. `open`: neither. `apart`: claims that speak of none of them, but of code, a table or a chart.
    """

    post: str
    numbers: int
    numbers_told: int
    sentences: int
    sentences_told: int
    open: int
    apart: tuple[Record, ...]


@dataclass(frozen=True)
class Reading:
    """A second reading of a post. `told`: statements that a claim spoke of when it was read; `alike`: of these, judged
    as the claim was then; `opposed`: right to the one and wrong to the other; `now`: alike as it is now.

    `others`: where the two readings parted, each with the record of the claim as it is now. `untold`: of what no claim
    spoke then.
    """

    post: str
    statements: int
    told: int
    alike: int
    opposed: int
    now: int
    kappa: float | None  # Cohen's: agreement beyond chance, 1 if it is whole, 0 if it is chance's
    others: tuple[tuple[Mapping[str, str], Record], ...]
    untold: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Fixed:
    """When what decides the counted claims of a post was fixed, by Git. `newer`: since the record of history."""

    post: str
    before: int
    with_it: int
    after: int
    after_and_other: int  # of those after it: the verdict became another one
    newer: int


def covered(path: Path, records: Sequence[Record]) -> Covered:
    """`records`: those of the post that count.

    Raises ArtefactError when the file is no inventory."""
    rows = rows_with(path, INVENTORY, "`git checkout` it")
    numbers, sentences = ([row for row in rows if row["kind"] in kinds] for kinds in (NUMBERS, SENTENCES))
    told = [sum(bool(row["claim"]) for row in part) for part in (numbers, sentences)]
    left = sum(not row["claim"] and not row["reason"] for row in [*numbers, *sentences])
    named = {name for row in rows for name in row["claim"].split()}
    apart = tuple(record for record in records if record["id"] not in named)
    return Covered(path.name.split(".")[0], len(numbers), told[0], len(sentences), told[1], left, apart)


def reading(path: Path, records: Sequence[Record]) -> Reading:
    """`records`: those of the post that count, and what repeats them.

    Raises ArtefactError when the file is no reading, or names a claim that is not there.
    """
    by_id = {record["id"]: record for record in records}
    rows = rows_with(path, READING, "mend it")
    for number, row in enumerate(rows, start=2):
        if row["judged"] not in JUDGED:
            raise ArtefactError("not a judgement", file=path, line=number, value=row["judged"],
                                allowed=", ".join(JUDGED))  # fmt: skip
        if row["verdict"] and row["verdict"] not in WORD_OF:
            raise ArtefactError("not a verdict", file=path, line=number, value=row["verdict"],
                                allowed=", ".join(WORD_OF))  # fmt: skip
        if (row["claim"] or row["verdict"]) and row["claim"] not in by_id:
            raise ArtefactError("no such claim", file=path, line=number, value=row["claim"], remedy="mend its id")
    told = [row for row in rows if row["verdict"]]
    pairs = [(row["judged"], WORD_OF[row["verdict"]]) for row in told]
    return Reading(
        path.stem,
        len(rows),
        len(told),
        sum(one == other for one, other in pairs),
        sum({one, other} == {"right", "wrong"} for one, other in pairs),
        sum(row["judged"] == WORD_OF[by_id[row["claim"]]["verdict"]] for row in told),
        kappa(pairs),
        tuple((row, by_id[row["claim"]]) for row, (one, other) in zip(told, pairs) if one != other),
        tuple(row for row in rows if not row["verdict"]),
    )


def rows_with(path: Path, columns: Iterable[str], remedy: str) -> list[dict[str, str]]:
    rows = read_rows(path)
    missing = [name for name in columns if name not in rows[0]]
    if missing:
        raise ArtefactError("a column is missing", file=path, column=missing[0], remedy=remedy)
    return rows


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of two judges (Cohen 1960, eq. 1); None where chance alone would make them agree, or no pairs."""
    total = len(pairs)
    if not total:
        return None
    ones, others = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    seen = sum(one == other for one, other in pairs) / total
    by_chance = sum(ones[word] * others[word] for word in ones) / total**2
    return (seen - by_chance) / (1 - by_chance) if by_chance < 1 else None


def fixed(
    post: str, records: Sequence[Record], claimed: Mapping[str, history.Claimed], digests: Mapping[str, str]
) -> Fixed:
    """`records`: the counted ones of the post; `digests`: of what decides each today."""
    known = [claimed[record["id"]] for record in records
             if record["id"] in claimed and claimed[record["id"]].digest == digests.get(record["id"])]  # fmt: skip
    when = Counter(each.rule_fixed for each in known)
    other = sum(each.rule_fixed == history.AFTER and each.before != each.verdict for each in known)
    return Fixed(post, when[history.BEFORE] + when[history.NEVER], when[history.WITH], when[history.AFTER], other,
                 len(records) - len(known))  # fmt: skip
