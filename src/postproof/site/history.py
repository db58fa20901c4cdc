"""When what decides a claim was fixed, when its verdict came, and when a chart was last drawn otherwise: by Git.

A page must be the same bytes in any clone, so it does not ask Git: `postproof history` (engines/history.py) writes what
Git says to data/history/{post}/, and what has changed since is left out here until it is written again.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from postproof.core.errors import ArtefactError

CLAIMS, CHARTS = "claims.csv", "charts.csv"
DIGITS = 16  # of a digest
# Keys that decide, of an entry and of each test in it; all others are words about it.
WHOLE = ("posted", "unit", "repeats", "setting", "second")
OF_TEST = ("got", "rule")
NEVER, BEFORE, WITH, AFTER = "no verdict yet", "before its first verdict", "with its first verdict", "after it"
WORD = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Claimed:
    """A claim by Git. Of commits the first ten digits, and the committer's date in UTC; empty where there is none.

    `written`: the claim's first commit; `judged`: that of its first verdict; `rule`: since when what decides it is as
    it is, by its `digest`; `verdict`: since when the verdict is as it is. `before` is the verdict that stood when the
    rule was changed after a first one.
    """

    id: str
    written_commit: str
    written_date: str
    judged_commit: str
    judged_date: str
    rule_commit: str
    rule_date: str
    rule_fixed: str
    digest: str
    verdict_commit: str
    verdict_date: str
    verdict: str
    before: str


@dataclass(frozen=True)
class Drawn:
    """The commit in which a chart became what it is, by the sha256 of its SVG."""

    name: str
    commit: str
    date: str
    sha256: str


def read(path: Path, row: type) -> dict[str, Any]:
    """Rows by their first column. Raises ArtefactError when the file is not what `postproof history` writes."""
    names = [field.name for field in fields(row)]
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
            if reader.fieldnames != names or any(None in each or None in each.values() for each in rows):
                raise ValueError(f"columns are not {', '.join(names)}")
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise ArtefactError("cannot read the history of claims", file=path, remedy="run `make history`") from error
    return {each[names[0]]: row(**each) for each in rows}


def digests(text: str) -> dict[str, str]:
    """Of each claim of a claims/{post}.yaml a digest of what decides it: posted number, expressions, rules, and the
    values that the expressions name. Its words are left out. Empty where the text is no list of claims.

    Numbers are taken as typed, so that `25.30` is not `25.3`. Works on any version of the file.
    """
    try:
        content = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except yaml.YAMLError:
        return {}
    if not isinstance(content, Mapping) or not isinstance(content.get("claims"), list):
        return {}
    values = content.get("values")
    values = values if isinstance(values, Mapping) else {}
    entries = [entry for entry in content["claims"] if isinstance(entry, Mapping) and isinstance(entry.get("id"), str)]
    return {entry["id"]: digest(entry, values) for entry in entries}


def digest(entry: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    tests = [entry, *listed(entry.get("readings")), *listed([entry.get("rerun")])]
    decides: dict[str, Any] = {key: entry[key] for key in WHOLE if key in entry}
    decides["tests"] = [{key: test[key] for key in OF_TEST if key in test} for test in tests]
    decides["open"] = "needs" in entry
    words = dict.fromkeys(WORD.findall(json.dumps(decides)))
    decides["values"] = {word: values[word] for word in words if word in values}
    text = json.dumps(decides, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def listed(content: Any) -> list[Mapping[str, Any]]:
    return [each for each in content if isinstance(each, Mapping)] if isinstance(content, Sequence) else []


def told(claimed: Claimed | None, digest: str | None, verdict: str) -> tuple[str, ...]:
    """Sentences on a claim, for its reader; `digest` and `verdict` are those of today."""
    if claimed is None or claimed.digest != digest:
        return ("What decides it is newer than the record of its history.",)
    sentences = [f"What decides it is as in commit {claimed.rule_commit} of {claimed.rule_date}, {fixed(claimed)}."]
    if claimed.verdict_commit and claimed.verdict == verdict:
        sentences.append(f"The verdict stands since {claimed.verdict_commit} of {claimed.verdict_date}.")
    elif claimed.verdict_commit:
        sentences.append("The verdict is newer than the record of its history.")
    return tuple(sentences)


def fixed(claimed: Claimed) -> str:
    if claimed.rule_fixed != AFTER:
        return claimed.rule_fixed
    first = f"after its first verdict, of {claimed.judged_date}"
    return f"{first}; until then it was “{claimed.before}”" if claimed.before != claimed.verdict else first
