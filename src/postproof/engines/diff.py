"""What changed in results/ since a commit: numbers, verdicts and charts, as tables and as a page (`make diff REV=...`).

A number is a cell of a table of metrics. Rows are told apart by what names them, the labels and checkpoints of the
table's schema; rows of the same names, by their order.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import jinja2
import pandas as pd
from tabulate import tabulate

from postproof.claims import Kind, show
from postproof.core import files, tables
from postproof.core.errors import ArtefactError, EngineError, UsageError

RESULTS = "results"
PAGE = Path("build/diff.html")
TEMPLATE = Path(__file__).with_name("diff.html")
ADDED, REMOVED = "new", "gone"
BEFORE, NTH = " before", " nth"  # no column of ours has a blank in its name


@dataclass(frozen=True)
class File:
    """A file before and now; None where it is not there."""

    path: str
    before: bytes | None
    now: bytes | None

    @property
    def post(self) -> str:
        return PurePosixPath(self.path).parts[1]

    @property
    def name(self) -> str:
        return f"{self.post}/{PurePosixPath(self.path).stem}"

    @property
    def change(self) -> str:
        return ADDED if self.before is None else REMOVED if self.now is None else "changed"


@dataclass(frozen=True)
class Numbers:
    """How the numbers of one column of a table changed. `where`: the row of the largest change, by its names."""

    table: str
    column: str
    cells: str  # how many of how many
    before: str
    now: str
    where: str


@dataclass(frozen=True)
class Verdict:
    """A claim or finding whose verdict, or what we get, changed."""

    post: str
    statement: str
    before: str
    now: str


def add_arguments(parser) -> None:
    parser.add_argument("rev", nargs="?", default="HEAD", metavar="REV", help="a commit, tag or branch; default: HEAD")
    parser.add_argument("--page", type=Path, default=PAGE, help=f"also as a page, charts side by side; default: {PAGE}")


def main(args) -> None:
    """Raises UsageError when Git knows no such commit, EngineError where Git cannot be asked, ArtefactError where the
    page cannot be written."""
    root = Path.cwd()
    commit = named(root, args.rev)
    changed = list(changes(root, commit))
    numbers = [row for file in of(changed, "metrics/[!.]*.csv") for row in numbers_of(file)]
    verdicts = [row for file in of(changed, "claims.json") for row in verdicts_of(file)]
    charts = of(changed, "figures/[!.]*.svg")
    print(f"{RESULTS}/ since {args.rev} ({commit[:10]}): {len(verdicts)} verdicts or numbers of claims, "
          f"{len(numbers)} columns of tables, {len(charts)} charts")  # fmt: skip
    for title, rows in (("Verdicts", verdicts), ("Numbers, the largest change of each column", numbers)):
        if rows:
            print("", title, tabulate(rows_of(rows), [*rows[0].__dataclass_fields__], disable_numparse=True,
                                      maxcolwidths=[44] * len(rows[0].__dataclass_fields__)), sep="\n")  # fmt: skip
    if charts:
        print("", "Charts", *(f"{chart.name}: {chart.change}" for chart in charts), sep="\n")
    try:
        files.write_text(args.page, page(args.rev, commit, verdicts, numbers, charts))
    except ArtefactError as error:
        raise ArtefactError("cannot write the page", file=args.page,
                            remedy="`postproof diff --page FILE` writes it elsewhere") from error  # fmt: skip
    print("", f"side by side: {args.page.resolve().as_uri()}", sep="\n")


def named(root: Path, rev: str) -> str:
    """The full name of the commit. Raises UsageError when Git knows none of this name, EngineError where it refuses."""
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}").decode().strip()
    except subprocess.CalledProcessError as error:
        if error.stderr:  # no repository, or another user's
            said = error.stderr.decode(errors="replace").strip()
            raise EngineError("Git cannot be asked", git_said=said, remedy="run it in a clone of your own") from error
        raise UsageError("no such commit", rev=rev, remedy="`git log` lists them") from error


def git(root: Path, *arguments: str) -> bytes:
    """Standard output. Raises CalledProcessError where Git says no, EngineError where there is no Git."""
    try:
        return subprocess.run(["git", "-C", root, *arguments], capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise EngineError("git is not installed", remedy="install it") from error


def changes(root: Path, commit: str) -> Iterator[File]:
    """Every file below results/ that Git holds, or would, and that is not what it was."""
    # `--relative` and `./`: the checkout may be a folder of a larger repository.
    names = git(root, "diff", "--relative", "--name-only", "--no-renames", "-z", commit, "--", RESULTS).split(b"\0")
    names += git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", RESULTS).split(b"\0")
    for path in sorted({name.decode() for name in names if name}):
        try:
            before = git(root, "cat-file", "blob", f"{commit}:./{path}")
        except subprocess.CalledProcessError:  # it was not there
            before = None
        now = (root / path).read_bytes() if (root / path).is_file() else None
        if before != now:
            yield File(path, before, now)


def of(changed: Sequence[File], pattern: str) -> list[File]:
    return [file for file in changed if PurePosixPath(file.path).match(f"{RESULTS}/*/{pattern}")]


def rows_of(rows: Sequence[Any]) -> list[list[str]]:
    return [list(vars(row).values()) for row in rows]


def verdicts_of(file: File) -> list[Verdict]:
    """Of a post that came or went one row. Raises ArtefactError where one of the two is no file of verdicts."""
    if file.before is None or file.now is None:
        claims = records(file, file.before or file.now).values()
        return [Verdict(file.post, f"the post: {show.counts(list(claims))}", "", file.change)]
    before, now = (records(file, content) for content in (file.before, file.now))
    found = []
    for name in dict.fromkeys([*now, *before]):
        told = [told_of(each[name]) if name in each else absent
                for each, absent in ((before, ""), (now, REMOVED))]  # fmt: skip
        if told[0] != told[1]:
            found.append(Verdict(file.post, (now.get(name) or before[name])["statement"], *told))
    return found


def records(file: File, content: bytes) -> dict[str, Mapping[str, Any]]:
    """By id."""
    try:
        return {record["id"]: record for record in json.loads(content)}
    except (ValueError, TypeError, KeyError) as error:
        raise ArtefactError("not a file of verdicts, now or then", file=file.path) from error


def told_of(record: Mapping[str, Any]) -> str:
    """Verdict and what we get, in words."""
    verdict = "finding" if record["kind"] == Kind.FINDING else show.verdict(record)
    return ": ".join(filter(None, (verdict, show.got(record))))


def numbers_of(file: File) -> list[Numbers]:
    """A row for each column of numbers in which a cell changed, and one for rows that came or went.

    Raises ArtefactError where one of the two is no table.
    """
    if file.before is None or file.now is None:
        return [Numbers(file.name, "all", file.change, "", "", "")]
    before, now = (frame(file, content) for content in (file.before, file.now))
    names = names_of_rows(file.name, before, now)
    both = nth(before, names).merge(
        nth(now, names), on=[*names, NTH], how="outer", suffixes=(BEFORE, ""), indicator=True
    )
    came, went = ((both["_merge"] == side).sum() for side in ("right_only", "left_only"))
    found = []
    if came or went:
        found.append(
            Numbers(file.name, "rows", f"{came} {ADDED}, {went} {REMOVED}", str(len(before)), str(len(now)), "")
        )
    both = both[both["_merge"] == "both"]
    for column in now.columns:
        if column in names:
            continue
        if column not in before.columns:
            found.append(Numbers(file.name, column, ADDED, "", "", ""))
            continue
        old, new = both[f"{column}{BEFORE}"], both[column]
        differ = (old != new) & ~(old.isna() & new.isna())
        if differ.any():
            largest = distance(old, new)[differ].idxmax()
            where = ", ".join(f"{name} {both.at[largest, name]}" for name in names)
            found.append(Numbers(file.name, column, f"{differ.sum()} of {len(both)}", cell(old[largest]),
                                 cell(new[largest]), where))  # fmt: skip
    found += [Numbers(file.name, column, REMOVED, "", "", "") for column in before.columns if column not in now.columns]
    return found


def frame(file: File, content: bytes) -> pd.DataFrame:
    try:
        return pd.read_csv(io.BytesIO(content), keep_default_na=False, na_values=[""])
    except ValueError as error:
        raise ArtefactError("not a table, now or then", file=file.path) from error


def names_of_rows(table: str, before: pd.DataFrame, now: pd.DataFrame) -> list[str]:
    """The columns that tell rows apart: by the table's schema, where it has one still, else all that are no numbers."""
    try:
        columns = tables.schema(table)
        named = [each.name for each in columns.values() if each.is_label or each.checkpoint or each.tells_rows]
    except ArtefactError:
        named = [name for name in now.columns if not pd.api.types.is_numeric_dtype(now[name])]
    return [name for name in named if name in before.columns and name in now.columns]


def nth(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """With a column that counts the rows of the same names."""
    counted = table.groupby(names, dropna=False).cumcount() if names else range(len(table))
    return table.assign(**{NTH: counted})


def distance(old: pd.Series, new: pd.Series) -> pd.Series:
    """How far each cell moved, relative to the larger of the two; infinite where a number came, went or is a word."""
    try:
        old, new = old.astype(float), new.astype(float)
    except ValueError:
        return pd.Series(float("inf"), old.index)
    return ((new - old).abs() / pd.concat([old.abs(), new.abs()], axis=1).max(axis=1)).fillna(float("inf"))


def cell(value: Any) -> str:
    return "" if pd.isna(value) else f"{value:.9g}" if isinstance(value, float) else str(value)


def page(rev: str, commit: str, verdicts: list[Verdict], numbers: list[Numbers], charts: list[File]) -> str:
    """One HTML file that needs nothing else: the tables, and each chart before and now."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                                     lstrip_blocks=True)  # fmt: skip
    environment.filters["picture"] = lambda svg: f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(rev=rev, commit=commit, verdicts=verdicts, numbers=numbers, charts=charts)
