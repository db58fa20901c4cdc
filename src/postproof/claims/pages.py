"""One post for its reader, as results/{post}/README.md: its sections in order, charts, claims and findings in each.

Built from the finished verdicts and the names of the charts; nothing is computed here.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postproof.claims import Kind, Verdict, show
from postproof.claims.readme import cell, plain, verdict
from postproof.core import files, tables
from postproof.core.errors import UsageError

NO_SECTION = "More charts"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--records", type=Path, required=True, help="results/{post}/claims.json")
    parser.add_argument("--title", required=True, help="of the post")
    parser.add_argument("--charts", required=True, help="JSON: by name `caption`, `code`, `tables`, `measured`")
    parser.add_argument("--pictures", type=Path, nargs="*", default=[], help="the charts, figures/{name}.png")
    parser.add_argument("--twins", type=Path, nargs="*", default=[], help="interactive/{name}.html of charts with one")
    parser.add_argument("--out", type=Path, required=True, help="Markdown, beside the folder of the charts")


def main(args: argparse.Namespace) -> None:
    """Raises ArtefactError when there are no verdicts, UsageError when `charts` is no JSON object."""
    try:
        charts = json.loads(args.charts)
    except ValueError as error:
        raise UsageError("--charts is not JSON", value=args.charts[:80]) from error
    drawn, twins = ({path.stem for path in paths} for paths in (args.pictures, args.twins))
    charts = {name: chart | {"twin": name in twins} for name, chart in charts.items() if name in drawn}
    files.write_text(args.out, page(args.title, show.read(args.records), charts))


def page(title: str, records: Sequence[Mapping[str, Any]], charts: Mapping[str, Mapping[str, Any]]) -> str:
    """`charts`: by name `caption`, `code`, names of `tables`, paths of `measured`, and `twin`, whether it has one."""
    lines = [f"# {plain(title)}", "", f"{show.counts(records)}.", "",
             "Built by the pipeline: each number is computed from the tables in `metrics/`; "
             "[docs/claims.md](../../docs/claims.md) says how a verdict comes about. The worst first: `make claims`.",
             ""]  # fmt: skip
    for section in sections(records, charts):
        lines += [f"## {plain(section.title)}", "", *charts_of(section, charts), *claims_of(section)]
    return "\n".join([*lines, *made_by(records)]).rstrip() + "\n"


@dataclass(frozen=True)
class Section:
    """A part of a post: names of the charts that stand in it, and its records by what they are, in the post's order."""

    title: str
    charts: tuple[str, ...]
    claims: tuple[Mapping[str, Any], ...] = ()
    findings: tuple[Mapping[str, Any], ...] = ()
    others: tuple[Mapping[str, Any], ...] = ()  # repeats and settings


def sections(records: Sequence[Mapping[str, Any]], charts: Mapping[str, Mapping[str, Any]]) -> list[Section]:
    """The parts in the post's order; the last one has the charts that no entry of the post speaks of, if any."""
    places = place(records, charts)
    found = []
    for title in dict.fromkeys(record["where"] for record in records):
        here = [record for record in records if record["where"] == title]
        findings = [record for record in here if record["kind"] == Kind.FINDING]
        others = [record for record in here if record["kind"] in (Kind.REPEAT, Kind.SETTING)]
        drawn = tuple(name for name, where in places.items() if where == title)
        found.append(Section(title, drawn, tuple(show.counted(here)), tuple(findings), tuple(others)))
    left = tuple(name for name, where in places.items() if where == NO_SECTION)
    return [*found, Section(NO_SECTION, left)] if left else found


def place(records: Sequence[Mapping[str, Any]], charts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The section of each chart: the first of those in which most entries rest on a table that the chart draws."""
    places = {}
    for name, chart in charts.items():
        drawn = set(drawn_paths(chart))
        found = Counter(record["where"] for record in records if drawn & set(paths_of(record)))
        places[name] = found.most_common(1)[0][0] if found else NO_SECTION
    return places


def paths_of(record: Mapping[str, Any]) -> list[str]:
    """The tables that it rests on, those of a rerun beside it included."""
    again = record.get("rerun") or {}
    return list(dict.fromkeys([*(record.get("stages") or {}), *(again.get("stages") or {})]))


def drawn_paths(chart: Mapping[str, Any]) -> list[str]:
    """What records call the tables that a chart draws, measurements by their folder."""
    measured = [path.rpartition("/")[0] for path in chart["measured"]]
    return list(dict.fromkeys([*map(tables.path_of, chart["tables"]), *measured]))


def charts_of(section: Section, charts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = []
    for name in section.charts:
        code, caption = charts[name]["code"], charts[name]["caption"]
        lines += [f"![{cell(caption.split('. ')[0].rstrip('.'))}](figures/{name}.png)", "",
                  f"*{plain(caption)}* [{Path(code).name}](../../{code}), [SVG](figures/{name}.svg)"
                  f"{f', [interactive](interactive/{name}.html)' if charts[name].get('twin') else ''}", ""]  # fmt: skip
    return lines


def claims_of(section: Section) -> list[str]:
    """Claims in the post's order; below them what we saw beyond the post, and what is not counted, folded away."""
    lines = []
    if section.claims:
        lines += ["| the post says | | we get | verdict | why |", "|---|---|---|---|---|"]
        for record in section.claims:
            cells = (record["statement"], show.said(record), show.got(record), verdict(record), why(record))
            lines.append(f"| {' | '.join(map(cell, cells))} |")
        lines.append("")
    if section.findings:
        lines += ["What we saw beyond the post:", ""]
        findings = [f"- {record['statement']} {record['note'] or ''}".rstrip() for record in section.findings]
        lines += [*map(plain, findings), ""]
    if section.others:
        lines += [f"<details><summary>{len(section.others)} not counted: said again, or a setting taken over</summary>"]
        lines += ["", "| the post says | | |", "|---|---|---|"]
        for each in section.others:
            lines.append(f"| {cell(each['statement'])} | {show.said(each)} | {plain(uncounted(each))} |")
        lines += ["", "</details>", ""]
    return lines


def uncounted(record: Mapping[str, Any]) -> str:
    """What a repeat or a setting is, in place of a verdict."""
    if record["kind"] == Kind.REPEAT:
        return f"again: {record['verdict']}"
    return "a setting of ours too" if record["verdict"] == Verdict.HOLDS else f"needs {record['needs']}"


def why(record: Mapping[str, Any]) -> str:
    """The comparison, a note, what a second computation says, and what the verdict rests on."""
    basis = basis_of(record)
    return ". ".join(part.rstrip(".") for part in [*reasons(record), f"*{basis}*" if basis else ""] if part)


def reasons(record: Mapping[str, Any]) -> list[str]:
    """The comparison, the readings under which it does not hold, what a second computation says, and the note."""
    parts = [] if record["verdict"] == Verdict.HOLDS_IF else [show.because(record)]
    for reading in record.get("readings") or []:
        if not reading["holds"]:
            word = "false" if reading["holds"] is False else "open"
            because = "" if reading["reason"] in ("false", word) else f" ({reading['reason']})"
            parts.append(f"{word} if {reading['if']}{because}")
    if record.get("second"):
        parts.append(f"computed in another way: {record['second']['reason']}")
    return [*parts, record["note"] or ""]


def basis_of(record: Mapping[str, Any]) -> str:
    """What kinds of evidence it rests on, and of what; empty where nothing was looked at."""
    if record["verdict"] == Verdict.NOT_CHECKED and record["got"] is None:
        return ""
    of = f" ({record['of']})" if record.get("of") else ""
    return f"{', '.join(record.get('evidence') or [])}{of}"


def made_by(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """What makes each table that a verdict rests on."""
    stages = {path: stage for record in records for path, stage in (record.get("stages") or {}).items() if stage}
    lines = ["## The tables behind it", "", "| table | made again by |", "|---|---|"]
    lines += [f"| [{path}](../../{path}) | `dvc repro {stage}` |" for path, stage in sorted(stages.items())]
    return lines if stages else []
