"""Print verdicts as a table: what the post says, what we get, and the counts."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from postproof import files
from postproof.claims import Verdict
from postproof.errors import ArtefactError

HEADER = ("claim", "the post says", "we get", "unit", "verdict")
NEEDED = ("id", "posted", "got", "unit", "rule", "verdict", "reason")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verdicts = [verdict.value for verdict in Verdict]
    parser.add_argument("--verdict", choices=verdicts, help="only the claims with this verdict")
    parser.add_argument("records", type=Path, nargs="+", metavar="CLAIMS_JSON", help="results/{post}/claims.json")


def main(args: argparse.Namespace) -> int:
    """Raises ArtefactError when a file is missing or holds no records of claims."""
    records = [record for path in args.records for record in read(path)]
    shown = [record for record in records if args.verdict in (None, record["verdict"])]
    print(*table(HEADER, [row(record) for record in shown]), "", counts(records), sep="\n")
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


def row(record: dict[str, Any]) -> tuple[str, ...]:
    """The cells of HEADER for one record."""
    posted = "true" if record["posted"] is True else record["posted"]
    unit = "" if record["unit"] in (None, "1") else record["unit"]
    return record["id"], posted, got(record), unit, record["verdict"]


def got(record: dict[str, Any]) -> str:
    """What we get, in one cell: a number, the interval of further runs, how many runs agree, the post's own figure."""
    value, spread = record["got"], record.get("spread")
    if spread:
        low, high = spread["interval"]
        return f"{spread['mean']:.6g} ({low:.4g} to {high:.4g})"
    if isinstance(value, (list, bool)):
        return str(record["reason"])  # "true in 4 of 5 runs" says more than the list
    if record["rule"] == "same_as":
        return f"{value} (post)"
    if isinstance(value, float):
        return f"{value:.8g}"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Lines with columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, tuple("-" * width for width in widths), *rows]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def counts(records: list[dict[str, Any]]) -> str:
    """How many claims there are of each verdict, all four named."""
    found = Counter(record["verdict"] for record in records)
    return f"{len(records)} claims: " + ", ".join(f"{found[verdict.value]} {verdict.value}" for verdict in Verdict)
