"""Print verdicts, the worst first: what the post says, what we get, why, and the counts."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

from postproof.claims import Kind, Severity, Verdict
from postproof.claims.digits import in_digits
from postproof.core import files
from postproof.core.errors import ArtefactError, UsageError

NEEDED = ("id", "kind", "post", "where", "statement", "posted", "got", "unit", "rule", "verdict", "reason", "condition")
ORDER = {verdict.value: position for position, verdict in enumerate(Verdict)}
WEIGHT = {severity.value: position for position, severity in enumerate(Severity)}


class Row(NamedTuple):
    """One record in cells: what the post says and what we get have their unit."""

    verdict: str  # with severity
    statement: str
    post: str
    got: str
    because: str  # reading, reason, what differs or what it needs


HEADER = Row("verdict", "statement", "the post says", "we get", "because")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--verdict", nargs="*", choices=list(ORDER), help="only the claims with these verdicts")
    parser.add_argument("--severity", choices=list(WEIGHT), help="only what falls so far")
    parser.add_argument("--post", nargs="*", help="only these posts")
    parser.add_argument("--ids", action="store_true", help="with the ids, which are unique over all posts")
    parser.add_argument("records", type=Path, nargs="+", metavar="CLAIMS_JSON", help="results/{post}/claims.json")


def main(args: argparse.Namespace) -> int:
    """Raises ArtefactError when a file is missing or holds no records, UsageError for a post without records."""
    records = [record for path in args.records for record in read(path)]
    posts = {record["post"] for record in records}
    for post in args.post or []:
        if post not in posts:
            raise UsageError("no verdicts of this post", value=post, allowed=", ".join(sorted(posts)))
    records = [record for record in records if not args.post or record["post"] in args.post]
    shown = [record for record in counted(records)
             if (not args.verdict or record["verdict"] in args.verdict)
             and args.severity in (None, record.get("severity"))]  # fmt: skip
    shown.sort(key=weight)
    width = max(60, shutil.get_terminal_size((160, 24)).columns)
    widths = [14, *(round((width - 30) * share) for share in (0.38, 0.16, 0.16, 0.30))]
    # Wrapped here: tabulate's own wrapping takes "8,600" for a number and fails (0.10).
    rows = [[*map(textwrap.fill, row(record), widths), *([record["id"]] if args.ids else [])] for record in shown]
    print(tabulate(rows, [*HEADER, *(["id"] if args.ids else [])], disable_numparse=True))
    print("", counts(records), sep="\n")
    return 0


def read(path: Path) -> list[dict[str, Any]]:
    """The records of one claims.json. Raises ArtefactError when it is not one."""
    records = files.read_json(path)
    kinds = {kind.value for kind in Kind}
    sound = isinstance(records, list) and all(
        isinstance(record, dict)
        and set(NEEDED) <= record.keys()
        and record["kind"] in kinds
        and (record["verdict"] in ORDER or record["kind"] == Kind.FINDING)
        for record in records
    )
    if not sound:
        raise ArtefactError("not a file of verdicts", file=path, remedy="make it again with `make`")
    return records


def counted(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that are claims: no repeats, settings or findings."""
    return [record for record in records if record["kind"] == Kind.CLAIM]


def weight(record: Mapping[str, Any]) -> tuple[int, int]:
    """The worst first, and of what does not hold the conclusions."""
    return ORDER[record["verdict"]], WEIGHT.get(record.get("severity"), len(WEIGHT))


def row(record: Mapping[str, Any]) -> Row:
    """The cells of one record."""
    return Row(verdict(record), record["statement"], said(record), got(record), because(record))


def verdict(record: Mapping[str, Any]) -> str:
    severity = f" ({record['severity']})" if record.get("severity") else ""
    return f"{record['verdict']}{severity}"


def rating(record: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict as schema.org's Rating: in words, and as a number where it is plainly one or the other."""
    words = {"name": record["verdict"], "alternateName": verdict(record)}
    numbers = {Verdict.HOLDS: 5, Verdict.DOES_NOT_HOLD: 1}
    if record["verdict"] not in numbers:
        return words
    return words | {"ratingValue": numbers[record["verdict"]], "worstRating": 1, "bestRating": 5}


def said(record: Mapping[str, Any]) -> str:
    """What the post says."""
    return "so" if record["posted"] is True else with_unit(record["posted"], record["unit"])


def got(record: Mapping[str, Any]) -> str:
    """What we get: a number, or of a statement whether it is true; of what is not checked what we predict."""
    value, unit = record["got"], record["unit"]
    if record["verdict"] == Verdict.NOT_CHECKED:
        return f"{number(value, unit)} predicted" if _is_number(value) else ""
    if record.get("spread"):
        return f"{in_digits(record['spread']['mean'], 3)} in the mean of {record['spread']['n']} runs"
    if isinstance(value, list | bool):
        return str(record["reason"])  # "true in 4 of 5 runs" says more than the list
    if _is_number(value):
        return number(value, unit)
    return with_unit(value, unit) if value else ""


def because(record: Mapping[str, Any]) -> str:
    """The reading under which it holds, what differs, what it needs, or how the numbers compare."""
    if record["verdict"] == Verdict.HOLDS_IF:
        return f"if {record['condition']}"
    if record["verdict"] == Verdict.NOT_CHECKED:
        return f"needs {record['needs']}"
    reason = record["reason"] or ""
    parts = ["" if reason in ("true", "false", got(record)) or reason.startswith("we get ") else reason]
    if record.get("differs"):
        parts.append(f"what differs: {record['differs']}")
    if record.get("rerun"):
        parts.append(f"the run made again: {rerun(record)}")
    if record.get("nearest"):
        parts.append(f"would hold {record['nearest']}")
    return "; ".join(filter(None, parts))


def rerun(record: Mapping[str, Any]) -> str:
    """What the post's run, made again, says beside a claim that something else decides."""
    again = record["rerun"]
    value = f" ({number(again['got'], record['unit'])})" if _is_number(again["got"]) else ""
    differs = f", what differs: {again['differs']}" if again.get("differs") else ""
    return f"{again['verdict']}{value}{differs}"


def number(value: float, unit: str | None) -> str:
    """To eight digits, thousands apart; whole numbers in full."""
    if unit == "year":
        return f"{value:.0f}"
    whole = float(value).is_integer() and abs(value) < 1e15
    text = f"{value:,.0f}" if whole else f"{value:,.8g}" if 1e-4 <= abs(value) < 1e15 else f"{value:.3g}"
    return with_unit(text, unit)


def with_unit(text: str, unit: str | None) -> str:
    return text if unit in (None, "1") else f"{text} {unit}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def counts(records: Sequence[Mapping[str, Any]]) -> str:
    """How many claims there are of each verdict, reruns beside other claims, what is not counted, chance."""
    claims = counted(records)
    found = Counter(record["verdict"] for record in claims)
    words = ", ".join(
        f"{found[verdict.value]} {verdict.value}" for verdict in reversed(Verdict) if found[verdict.value]
    )
    reruns = Counter(record["rerun"]["verdict"] for record in claims if record.get("rerun"))
    text = f"{len(claims)} claims: {words or 'none'}"
    if reruns:
        text += ". Runs made again beside them: " + ", ".join(f"{n} {verdict}" for verdict, n in sorted(reruns.items()))
    others = Counter(record["kind"] for record in records if record["kind"] != Kind.CLAIM)
    if others:
        text += ". Not counted: " + ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in sorted(others.items()))
    levels = [level for record in claims for level in record.get("intervals", [])]
    if levels:
        chance = sum(1 - level for level in levels)
        text += f". Their verdicts rest on {len(levels)} interval{'s' if len(levels) > 1 else ''}, of which "
        text += f"{chance:.2g} would miss by chance"
    return text
