"""Fill the verdict table of README.md from the verdicts (`make readme`)."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from postproof.claims import show
from postproof.core import files
from postproof.core.errors import ArtefactError

# The first line names the claims to show; the last shown line is the counts over all of them.
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
    """The README with the rows of the claims that its block names, and the counts over all records."""
    match = BLOCK.search(text)
    if match is None:
        raise ArtefactError("no place for the table", expected="<!-- claims: id id --> ... <!-- end of claims -->")
    by_id = {record["id"]: record for record in records}
    unknown = [name for name in match["ids"].split() if name not in by_id]
    if unknown:
        raise ArtefactError("no such claim", claim=unknown[0], remedy="mend the comment above the table in README.md")
    lines = ["| claim | the post says | we get | verdict |", "|---|---|---|---|"]
    for name in match["ids"].split():
        row = show.row(by_id[name])
        verdict = f"**{row.verdict}** {row.condition}".rstrip()
        lines.append(f"| {by_id[name]['statement']} | {row.post} | {row.got} | {verdict} |")
    body = "\n".join([*lines, "", show.counts(records) + ".", ""])
    return text[: match.start()] + match[1] + body + match[3] + text[match.end() :]
