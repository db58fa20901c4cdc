"""Claims and charts as the templates show them: every text ready, with what one should know before quoting it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postproof.claims import Evidence, Kind, Severity, Verdict, pages, show
from postproof.claims.rules import RULES
from postproof.site import layout
from postproof.site.charts import Drawing
from postproof.site.history import Drawn
from postproof.site.sources import Source
from postproof.site.twins import Parts

Record = Mapping[str, Any]

DIGITS = 16  # of a hash, where it names a file to a reader
# Where another cell, parameter or number starts in the words that say what decides a claim.
NEXT = re.compile(r"; (?=results/|data/|params\.yaml|the post's number)")
PARAM = re.compile(r"params\.yaml: ([\w.]+)")


@dataclass(frozen=True)
class Card:
    """A claim."""

    id: str
    post: str
    where: str
    statement: str
    said: str
    got: str
    verdict: str
    slug: str
    sign: str
    severity: str
    evidence: str
    rerun: str  # what the post's run, made again, says beside it
    reasons: tuple[str, ...]
    knows: tuple[str, ...]
    unit: str
    rule: str
    decided_by: str
    cells: tuple[str, ...]
    expressions: tuple[str, ...]
    params: tuple[str, ...]
    sources: tuple[Source, ...]
    charts: tuple[str, ...]
    said_again: tuple[Record, ...]
    citation: str
    history: tuple[str, ...]

    @property
    def href(self) -> str:
        return f"{self.post}.html#{self.id}"


@dataclass(frozen=True)
class Chart:
    name: str
    says: str
    what: str
    caption: str
    code: str
    width: int
    height: int
    sources: tuple[Source, ...]
    knows: tuple[str, ...]
    parts: Parts | None
    citation: str
    margin: tuple[str, ...]  # what a picture of it should name: source, verdicts, commit
    claims: tuple[Card, ...] = ()


def card(
    record: Record,
    title: str,
    digest: str,
    sources: Mapping[str, Source],
    drawn: Mapping[str, set[str]],
    said_again: Sequence[Record] = (),
    history: Sequence[str] = (),
) -> Card:
    """`digest`: of the file of verdicts. `drawn`: paths of tables by chart. `said_again`: records that repeat it.
    `history`: what Git says of it.
    """
    paths = pages.paths_of(record)
    verdict = record["verdict"]
    artefacts = "; ".join(filter(None, [record["artefact"], (record.get("rerun") or {}).get("artefact")]))
    return Card(
        id=record["id"],
        post=record["post"],
        where=record["where"],
        statement=record["statement"],
        said=show.said(record),
        got=show.got(record),
        verdict=verdict,
        slug=layout.slug(verdict),
        sign=layout.sign(verdict),
        severity=record.get("severity") or "",
        evidence=", ".join(record.get("evidence") or []) if pages.basis_of(record) else "",
        rerun=record["rerun"]["verdict"] if record.get("rerun") else "",
        reasons=tuple(filter(None, [condition(record), *pages.reasons(record)])),
        knows=knows(record),
        unit=record["unit"] or "",
        rule=rule(record),
        decided_by=record.get("decided_by") or "",
        cells=tuple(NEXT.split(artefacts)) if artefacts else (),
        expressions=tuple(expressions(record)),
        params=tuple(dict.fromkeys(PARAM.findall(artefacts))),
        sources=tuple(sources[path] for path in paths if path in sources),
        charts=tuple(name for name, tables_drawn in drawn.items() if tables_drawn & set(paths)),
        said_again=tuple(said_again),
        citation=citation(record, title, digest),
        history=tuple(history),
    )


def condition(record: Record) -> str:
    return f"If {record['condition']}" if record["verdict"] == Verdict.HOLDS_IF else ""


def expressions(record: Record) -> Iterable[str]:
    """What is computed, once each: of every reading, of a second computation, of a rerun."""
    readings = record.get("readings") or [record]
    parts = [*readings, record.get("second") or {}, record.get("rerun") or {}]
    return dict.fromkeys(text for part in parts for text in part.get("expression") or [])


def rule(record: Record) -> str:
    """The rule in words, with its options."""
    if not record.get("rule"):
        return ""
    words = (RULES[record["rule"]].decide.__doc__ or "").strip().split("\n\n")[0]
    options = ", ".join(f"{name} {value}" for name, value in (record.get("options") or {}).items())
    return f"{record['rule']}{f' ({options})' if options else ''}: {' '.join(words.split())}"


def knows(record: Record) -> tuple[str, ...]:
    """What to know before quoting it."""
    points = [Evidence(kind).means for kind in record.get("evidence") or []] if pages.basis_of(record) else []
    points = [f"Rests on {name}: {means}." for name, means in zip(record.get("evidence") or [], points)]
    if points and record.get("of"):
        points.append(f"Of: {record['of']}.")
    if record.get("spread"):
        spread = record["spread"]
        seeds = ", ".join(map(str, spread["seeds"]))
        missed = f"{100 * (1 - spread['level']):.3g} of 100 such intervals miss what they are to hold"
        points.append(f"{spread['n']} runs, seeds {seeds}; {missed}, by chance.")
    elif record.get("intervals"):
        missed = sum(1 - level for level in record["intervals"])
        points.append(f"Uses {len(record['intervals'])} interval(s), of which {missed:.2g} would miss by chance.")
    readings = record.get("readings") or []
    if len(readings) > 1:
        holding = sum(reading["holds"] is True for reading in readings)
        points.append(f"It can be read in {len(readings)} ways; it holds in {holding} of them.")
    if record.get("differs"):
        points.append(f"Differs from the posted run in: {record['differs']}.")
    if record["verdict"] == Verdict.NOT_CHECKED:
        points.append(f"Nobody has checked it here. It would take: {record['needs']}.")
    if record["verdict"] == Verdict.AS_IN_SOURCE:
        points.append("The source says so; whether the source is right is another question.")
    if record.get("severity"):
        points.append(f"Severity {record['severity']}: {Severity(record['severity']).means}.")
    return tuple(points)


def citation(record: Record, title: str, digest: str) -> str:
    """One line to quote, which names the file of verdicts by its hash."""
    got = f" We get: {show.got(record)}." if show.got(record) else ""
    return (
        f"postproof, claim {record['id']} of “{title}”: “{record['statement']}” The post says: {show.said(record)}."
        f"{got} Verdict: {show.verdict(record)}. results/{record['post']}/claims.json, sha256 {digest[:DIGITS]}."
    )


def chart(
    name: str,
    post: str,
    title: str,
    about: Mapping[str, Any],
    drawing: Drawing,
    digest: str,
    sources: Mapping[str, Source],
    parts: Parts | None,
    records: Sequence[Record],
    drawn: Drawn | None = None,
) -> Chart:
    """`about`: caption, code, tables, measured. `digest`: of the SVG. `records`: the claims of the post. `drawn`: since
    when it is as it is.
    """
    paths = pages.drawn_paths(about)
    on_it = [record for record in records if set(paths) & set(pages.paths_of(record))]
    behind = tuple(sources[path] for path in paths if path in sources)
    says = drawing.says or about["caption"].split(". ")[0].rstrip(".")
    cited = f"postproof, chart {name} of “{title}”: “{says}”. results/{post}/figures/{name}.svg"
    return Chart(
        name=name,
        says=says,
        what=drawing.what,
        caption=about["caption"],
        code=about["code"],
        width=drawing.width,
        height=drawing.height,
        sources=behind,
        knows=knows_of_chart(drawing, behind, on_it),
        parts=parts,
        citation=f"{cited}, sha256 {digest[:DIGITS]}.",
        margin=margin(f"{post}/{name}", behind, on_it, drawn if drawn and drawn.sha256 == digest else None),
    )


def knows_of_chart(drawing: Drawing, sources: Sequence[Source], records: Sequence[Record]) -> tuple[str, ...]:
    """What to know before quoting it."""
    points = [drawing.what] if drawing.what else []
    resting = [record for record in records if record["kind"] == Kind.CLAIM and pages.basis_of(record)]
    kinds = dict.fromkeys(kind for record in resting for kind in record["evidence"])
    of = dict.fromkeys(part for record in resting if record["of"] for part in record["of"].split("; "))
    if kinds:
        points.append(f"Claims on it rest on {', '.join(kinds)}" + (f": {'; '.join(of)}." if of else "."))
    with_seeds = [source for source in sources if source.seeds]
    if with_seeds:
        seeds = sorted({seed for source in with_seeds for seed in source.seeds})
        points.append(f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}: {', '.join(map(str, seeds))}.")
    protocols = dict.fromkeys(label for source in sources for label in source.labels.get("protocol", ()))
    if protocols:
        points.append(f"Protocols, in ways to run it: {', '.join(protocols)}.")
    machines = [machine for source in sources for machine in source.machines]
    if machines:
        named = "; ".join(dict.fromkeys(on(machine) for machine in machines))
        points.append(f"Measured on {named}. Another machine gives other seconds.")
    if on_it := told(records):
        points.append(f"{on_it}.")
    return tuple(points)


def told(records: Sequence[Record]) -> str:
    """`3 claims of the post on what it draws: 2 holds, 1 does not hold`; empty without a claim."""
    found = Counter(record["verdict"] for record in records if record["kind"] == Kind.CLAIM)
    words = ", ".join(f"{found[verdict]} {verdict.value}" for verdict in reversed(Verdict) if found[verdict])
    total = found.total()
    return f"{total} claim{'s' if total > 1 else ''} of the post on what it draws: {words}" if total else ""


def margin(name: str, sources: Sequence[Source], records: Sequence[Record], drawn: Drawn | None) -> tuple[str, ...]:
    """People take pictures of charts: what stands in its frame says where it is from, how it fares and which it is."""
    commit = f"as in commit {drawn.commit} of {drawn.date}" if drawn else ""
    tables = ", ".join(f"{Path(source.path).stem} {source.files[0].sha256[:8]}" if len(source.files) == 1
                       else Path(source.path).stem for source in sources)  # fmt: skip
    lines = [" ".join(filter(None, ["postproof", name, commit])), told(records), tables and f"Tables: {tables}"]
    return tuple(filter(None, lines))


def on(machine: Any) -> str:
    """`AMD EPYC, 2 threads, 2026-11-23`."""
    threads = f"{machine.threads} thread{'s' if machine.threads != 1 else ''}" if machine.threads else ""
    return ", ".join(filter(None, [machine.device or machine.name, threads, machine.date]))
