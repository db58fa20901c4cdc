"""Fill the verdicts into README.md (`make readme`): a dozen claims that a reader should see first, and the tally."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from postproof.claims import Verdict, show
from postproof.core import files
from postproof.core.errors import ArtefactError

# The first line names the claims to show; after them stand the counts per post.
BLOCK = re.compile(r"(<!-- claims: (?P<ids>[\w ]+) -->\n).*?(<!-- end of claims -->)", re.DOTALL)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--readme", type=Path, default=Path("README.md"))
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the table is not up to date")
    parser.add_argument("records", type=Path, nargs="+", metavar="CLAIMS_JSON", help="results/{post}/claims.json")


def main(args: argparse.Namespace) -> None:
    """Raises ArtefactError when the README has no such block, names an unknown claim, or (--check) is out of date."""
    old = args.readme.read_text(encoding="utf-8")
    new = filled_in(old, [record for path in args.records for record in show.read(path)])
    if new != old and args.check:
        raise ArtefactError("the table is not the one of the verdicts", file=args.readme, remedy="run `make readme`")
    if new != old:
        files.write_text(args.readme, new)


def filled_in(text: str, records: list[dict]) -> str:
    """The README with the rows of the claims that its block names, and the tally of each post."""
    match = BLOCK.search(text)
    if match is None:
        raise ArtefactError("no place for the table", expected="<!-- claims: id id --> ... <!-- end of claims -->")
    lines = ["| the post says | | we get | verdict |", "|---|---|---|---|"]
    for record in first(match["ids"].split(), records):
        row = show.row(record)
        lines.append(f"| {cell(row.statement)} | {row.post} | {cell(row.got)} | {cell(verdict(record))} |")
    return (
        text[: match.start()] + match[1] + "\n".join([*lines, "", *tally(records), ""]) + match[3] + text[match.end() :]
    )


def ids(text: str) -> list[str]:
    """The claims that a README names to be seen first; none where it has no such block."""
    match = BLOCK.search(text)
    return match["ids"].split() if match else []


def first(names: Sequence[str], records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records of these claims, in this order. Raises ArtefactError for a name that no record has."""
    by_id = {record["id"]: record for record in records}
    unknown = [name for name in names if name not in by_id]
    if unknown:
        raise ArtefactError("no such claim", claim=unknown[0], remedy="mend the comment above the table in README.md")
    return [by_id[name] for name in names]


def verdict(record: dict) -> str:
    """With the reading under which it holds, and what the post's run, made again, says beside it."""
    condition = f" {record['condition']}" if record["verdict"] == Verdict.HOLDS_IF else ""
    again = f", made again: **{record['rerun']['verdict']}**" if record.get("rerun") else ""
    return f"**{show.verdict(record)}**{condition}{again}"


def tally(records: list[dict]) -> list[str]:
    """A table of posts by verdicts, then the counts in words."""
    used, found = by_post(records)
    lines = [f"| claims of | all | {' | '.join(used)} |", f"|---|{'---|' * (len(used) + 1)}"]
    for post, counts in found.items():
        numbers = " | ".join(str(counts[verdict] or "") for verdict in used)
        lines.append(f"| [{post}](results/{post}/README.md) | {counts.total()} | {numbers} |")
    return [*lines, "", show.counts(records) + "."]


def by_post(records: Sequence[Mapping[str, Any]]) -> tuple[list[str], dict[str, Counter[str]]]:
    """The verdicts that occur, the best first, and how often each does among the claims of each post."""
    claims = show.counted(records)
    used = [verdict.value for verdict in reversed(Verdict) if any(each["verdict"] == verdict for each in claims)]
    posts = sorted({record["post"] for record in records})
    return used, {post: Counter(each["verdict"] for each in claims if each["post"] == post) for post in posts}


def cell(text: str) -> str:
    """Text that stands in a cell of a Markdown table."""
    return plain(text).replace("|", "\\|").replace("\n", " ")


def plain(text: str) -> str:
    """Text of claims and captions in Markdown, which would take a `<` before a letter for the start of HTML."""
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
