"""Print verdicts as a table: what the post says, what we get, and the counts."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

from postproof.claims import Verdict
from postproof.core import files
from postproof.core.errors import ArtefactError

NEEDED = ("id", "posted", "got", "unit", "rule", "verdict", "reason", "condition")


class Row(NamedTuple):
    """One record in cells, for the terminal and for the README: what the post says and what we get have their unit."""

    claim: str
    post: str
    got: str
    verdict: str
    condition: str  # the reading or setting under which it holds; empty for other verdicts


HEADER = Row("claim", "the post says", "we get", "verdict", "if")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verdicts = [verdict.value for verdict in Verdict]
    parser.add_argument("--verdict", choices=verdicts, help="only the claims with this verdict")
    parser.add_argument("records", type=Path, nargs="+", metavar="CLAIMS_JSON", help="results/{post}/claims.json")


def main(args: argparse.Namespace) -> int:
    """Raises ArtefactError when a file is missing or holds no records of claims."""
    records = [record for path in args.records for record in read(path)]
    shown = [record for record in records if args.verdict in (None, record["verdict"])]
    print(tabulate(map(row, shown), HEADER, disable_numparse=True), counts(records), sep="\n\n")
    return 0


def read(path: Path) -> list[dict[str, Any]]:
    """The records of one claims.json. Raises ArtefactError when it is not one."""
    records = files.read_json(path)
    known = {verdict.value for verdict in Verdict}
    sound = isinstance(records, list) and all(
        isinstance(record, dict) and set(NEEDED) <= record.keys() and record["verdict"] in known for record in records
    )
    if not sound:
        raise ArtefactError("not a file of verdicts", file=path, remedy="make it again with `claims.judge`")
    return records


def row(record: dict[str, Any]) -> Row:
    """The cells of one record."""
    posted = "true" if record["posted"] is True else with_unit(record["posted"], record)
    condition = record["condition"] if record["verdict"] == Verdict.HOLDS_IF else None
    return Row(record["id"], posted, got(record), record["verdict"], condition or "")


def got(record: dict[str, Any]) -> str:
    """What we get: a number, the interval of further runs, how many runs agree, the post's own number."""
    value, spread = record["got"], record.get("spread")
    if spread:
        low, high = spread["interval"]
        return with_unit(f"{spread['mean']:.6g}", record) + f" ({low:.4g} to {high:.4g})"
    if isinstance(value, (list, bool)):
        return str(record["reason"])  # "true in 4 of 5 runs" says more than the list
    if record["rule"] == "same_as":
        return f"{with_unit(value, record)} (post)"
    if isinstance(value, float):
        return with_unit(f"{value:.8g}", record)
    if isinstance(value, int):
        return with_unit(f"{value:,}", record)
    return "" if value is None else str(value)


def with_unit(number: str, record: dict[str, Any]) -> str:
    return number if record["unit"] in (None, "1") else f"{number} {record['unit']}"


def counts(records: list[dict[str, Any]]) -> str:
    """How many claims there are of each verdict, all four named."""
    found = Counter(record["verdict"] for record in records)
    return f"{len(records)} claims: " + ", ".join(f"{found[verdict.value]} {verdict.value}" for verdict in Verdict)
