"""Fill the verdicts into README.md (`make readme`): a dozen claims that a reader should see first, and the tally."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

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
    by_id = {record["id"]: record for record in records}
    unknown = [name for name in match["ids"].split() if name not in by_id]
    if unknown:
        raise ArtefactError("no such claim", claim=unknown[0], remedy="mend the comment above the table in README.md")
    lines = ["| the post says | | we get | verdict |", "|---|---|---|---|"]
    for name in match["ids"].split():
        row = show.row(by_id[name])
        lines.append(f"| {cell(row.statement)} | {row.post} | {cell(row.got)} | {cell(verdict(by_id[name]))} |")
    return (
        text[: match.start()] + match[1] + "\n".join([*lines, "", *tally(records), ""]) + match[3] + text[match.end() :]
    )


def verdict(record: dict) -> str:
    """With the reading under which it holds, and what the post's run, made again, says beside it."""
    condition = f" {record['condition']}" if record["verdict"] == Verdict.HOLDS_IF else ""
    again = f", made again: **{record['rerun']['verdict']}**" if record.get("rerun") else ""
    return f"**{show.verdict(record)}**{condition}{again}"


def tally(records: list[dict]) -> list[str]:
    """A table of posts by verdicts, then the counts in words."""
    posts = sorted({record["post"] for record in records})
    claims = show.counted(records)
    used = [verdict.value for verdict in reversed(Verdict) if any(each["verdict"] == verdict for each in claims)]
    lines = [f"| claims of | all | {' | '.join(used)} |", f"|---|{'---|' * (len(used) + 1)}"]
    for post in posts:
        found = Counter(record["verdict"] for record in claims if record["post"] == post)
        numbers = " | ".join(str(found[verdict] or "") for verdict in used)
        lines.append(f"| [{post}](results/{post}/README.md) | {found.total()} | {numbers} |")
    return [*lines, "", show.counts(records) + "."]


def cell(text: str) -> str:
    """Text that stands in a cell of a Markdown table."""
    return plain(text).replace("|", "\\|").replace("\n", " ")


def plain(text: str) -> str:
    """Text of claims and captions in Markdown, which would take a `<` before a letter for the start of HTML."""
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
