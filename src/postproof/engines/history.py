"""Write what Git says of claims and charts to data/history/ (`make history`): were rules fixed before results?

Every commit that changed a post's claims or verdicts is looked at, those of branches too. Whoever has the history can
make the files again and compare: `--check` does, up to the commit that they were made at.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from postproof.core import files
from postproof.core.errors import ArtefactError, EngineError
from postproof.engines.diff import git, named
from postproof.site import history
from postproof.site.history import Claimed, Drawn

FOLDER, LOOKED_AT = Path("data/history"), "commit.json"
COMMIT_DIGITS = 10


@dataclass(frozen=True)
class Look:
    """A post's claims and verdicts in one commit: digests of what decides each, and verdicts, by id."""

    commit: str
    date: str
    digests: Mapping[str, str]
    verdicts: Mapping[str, str]


def add_arguments(parser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; fail where Git says something else")


def main(args) -> None:
    """Raises EngineError without Git or its whole history; with --check ArtefactError where Git contradicts."""
    root = Path.cwd()
    whole(root)
    commit = named(root, looked_at(root) if args.check else "HEAD")
    made = tables(root, commit)
    for path, text in made.items():
        if not args.check:
            files.write_text(root / path, text)
        elif not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text:
            raise ArtefactError("the record of history is not what Git says", file=path, commit=commit[:COMMIT_DIGITS],
                                remedy="run `make history`")  # fmt: skip
    print(f"{FOLDER}: {len(made) - 1} tables up to commit {commit[:COMMIT_DIGITS]}{' are as Git says' * args.check}")


def whole(root: Path) -> None:
    """Raises EngineError where a part of the history is missing."""
    try:
        shallow = git(root, "rev-parse", "--is-shallow-repository").strip() == b"true"
    except subprocess.CalledProcessError as error:
        raise EngineError("not a Git repository", folder=root, remedy="clone it with Git") from error
    if shallow:
        raise EngineError("this clone has only the last commits", folder=root, remedy="`git fetch --unshallow`")


def looked_at(root: Path) -> str:
    """The commit that the record was made at. Raises ArtefactError when it does not say."""
    path = FOLDER / LOOKED_AT
    content = files.read_json(root / path)
    if not isinstance(content, dict) or not isinstance(content.get("commit"), str):
        raise ArtefactError("does not say which commit it is of", file=path, key="commit", remedy="run `make history`")
    return content["commit"]


def tables(root: Path, commit: str) -> dict[Path, str]:
    """The record's files by path from the root, as texts."""
    ((_, date),) = log(root, commit, [], "--max-count=1")
    made = {FOLDER / LOOKED_AT: json.dumps({"commit": commit, "date": date}, indent=2) + "\n"}
    for path in names(root, commit, "claims/*.yaml"):
        post = Path(path).stem
        made[FOLDER / post / history.CLAIMS] = as_csv(Claimed, claims(list(looks(root, commit, post))))
        charts = [drawn(root, commit, chart) for chart in names(root, commit, f"results/{post}/figures/*.svg")]
        made[FOLDER / post / history.CHARTS] = as_csv(Drawn, charts)
    return made


def names(root: Path, commit: str, pattern: str) -> list[str]:
    folder, _, ending = pattern.partition("*")
    listed = git(root, "ls-tree", "--name-only", "-z", commit, "--", folder).decode().split("\0")
    return [name for name in listed if name.endswith(ending)]


def looks(root: Path, commit: str, post: str) -> Iterator[Look]:
    """Of each commit that changed the claims or verdicts of a post, oldest first."""
    claims, verdicts = f"claims/{post}.yaml", f"results/{post}/claims.json"
    for at, date in reversed(log(root, commit, [claims, verdicts], "--topo-order")):
        yield Look(at[:COMMIT_DIGITS], date, history.digests(blob(root, at, claims)),
                   judged(blob(root, at, verdicts)))  # fmt: skip


def log(root: Path, commit: str, paths: Sequence[str], *options: str) -> list[tuple[str, str]]:
    """Commits up to this one that changed the paths, the newest first: full names, and dates in UTC."""
    lines = git(root, "log", *options, "--format=%H %ct", commit, "--", *paths).decode().splitlines()
    found = [line.split() for line in lines]
    return [(at, datetime.fromtimestamp(int(seconds), UTC).date().isoformat()) for at, seconds in found]


def blob(root: Path, commit: str, path: str) -> str:
    """Empty where the commit has no such file."""
    try:
        return git(root, "cat-file", "blob", f"{commit}:./{path}").decode()
    except subprocess.CalledProcessError:
        return ""


def judged(text: str) -> dict[str, str]:
    """Verdicts by id, of any version of a claims.json; empty where it is none."""
    try:
        records: Any = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(records, list):
        return {}
    return {each["id"]: each["verdict"] for each in records if isinstance(each, dict) and each.get("verdict")}


def claims(found: Sequence[Look]) -> list[Claimed]:
    """The claims of the last look, in its order."""
    return [claimed(name, found) for name in found[-1].digests] if found else []


def claimed(name: str, found: Sequence[Look]) -> Claimed:
    rules, verdicts = ([getattr(look, kind).get(name, "") for look in found] for kind in ("digests", "verdicts"))
    nowhere = Look("", "", {}, {})
    first = next((at for at, verdict in enumerate(verdicts) if verdict), None)
    rule = since(rules)
    written = found[next(at for at, each in enumerate(rules) if each)]
    judged = nowhere if first is None else found[first]
    stood = found[since(verdicts)] if verdicts[-1] else nowhere
    if first is None:
        fixed = history.NEVER
    else:
        fixed = history.BEFORE if rule < first else history.WITH if rule == first else history.AFTER
    before = verdicts[rule - 1] if fixed == history.AFTER else ""
    return Claimed(name, written.commit, written.date, judged.commit, judged.date, found[rule].commit, found[rule].date,
                   fixed, rules[-1], stood.commit, stood.date, verdicts[-1], before)  # fmt: skip


def since(values: Sequence[str]) -> int:
    """From where on they are all the last one."""
    return next((at + 1 for at in reversed(range(len(values))) if values[at] != values[-1]), 0)


def drawn(root: Path, commit: str, path: str) -> Drawn:
    ((at, date),) = log(root, commit, [path], "--max-count=1")
    content = git(root, "cat-file", "blob", f"{commit}:./{path}")
    return Drawn(Path(path).stem, at[:COMMIT_DIGITS], date, hashlib.sha256(content).hexdigest())


def as_csv(row: type, rows: Sequence[Any]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(asdict, rows))
    return text.getvalue()
