"""The page of one post: its sections in order, each chart with the claims on what it draws, findings, what is open.

The static chart comes first; where it has an interactive twin, the parts of that stand ready in the page and are put in
its place when the reader asks for it. Without scripts everything but that is there.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postproof.claims import Kind, Verdict, pages, readme, show
from postproof.core import files
from postproof.site import charts, history, layout, sources, twins, views
from postproof.site.views import Card, Chart

TEMPLATE = "post.html"


@dataclass(frozen=True)
class Section:
    """`blocks`: each chart with its claims; `rest`: the claims that no chart here draws."""

    anchor: str
    title: str
    blocks: tuple[Chart, ...]
    rest: tuple[Card, ...]
    findings: tuple[Mapping[str, Any], ...]
    others: tuple[Mapping[str, Any], ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    files_of = {"type": Path, "nargs": "*", "default": []}
    parser.add_argument("--records", type=Path, required=True, help="results/{post}/claims.json")
    parser.add_argument("--claims", type=Path, required=True, help="claims/{post}.yaml")
    parser.add_argument("--history", **files_of, help="data/history/{post}/claims.csv and charts.csv")
    parser.add_argument("--charts", required=True, help="JSON: by name `caption`, `code`, `tables`, `measured`")
    parser.add_argument("--made", required=True, help="JSON: by table `stage`, `command`, `params` of what makes it")
    parser.add_argument("--drawings", **files_of, help="the charts, figures/{name}.svg")
    parser.add_argument("--twins", **files_of, help="interactive/{name}.html of charts with one")
    parser.add_argument("--tables", **files_of, help="tables of charts and claims")
    parser.add_argument("--about", **files_of, help="JSON beside machines' tables: what was measured where")
    parser.add_argument("--schemas", **files_of, help="schemas of the tables")
    layout.add_arguments(parser, "results/site/{post}.html")


def main(args: argparse.Namespace) -> None:
    """Raises ArtefactError when an input is not what it should be, UsageError for options that are no JSON."""
    titles, about, made = (layout.json_object(getattr(args, name), name) for name in ("titles", "charts", "made"))
    templates = layout.read_templates(args.templates)
    post, records = args.out.stem, show.read(args.records)
    behind = sources.read_all(args.tables, args.about, args.schemas, made)
    parts = {path.stem: twins.read(path) for path in args.twins}
    past = {path.name: path for path in args.history}
    commits = history.read(past[history.CHARTS], history.Drawn) if history.CHARTS in past else {}
    drawn = [
        views.chart(path.stem, post, titles[post], about[path.stem], charts.read(path), files.sha256(path), behind,
                    parts.get(path.stem), records, commits.get(path.stem))
        for path in args.drawings
    ]  # fmt: skip
    told = {}
    if history.CLAIMS in past:
        claimed = history.read(past[history.CLAIMS], history.Claimed)
        today = history.digests(args.claims.read_text(encoding="utf-8"))
        told = {each["id"]: history.told(claimed.get(each["id"]), today.get(each["id"]), each["verdict"])
                for each in show.counted(records)}  # fmt: skip
    digest = files.sha256(args.records)
    files.write_text(args.out, page(post, titles, templates, records, digest, about, drawn, behind, told))


def page(
    post: str,
    titles: Mapping[str, str],
    templates: Mapping[str, str],
    records: Sequence[Mapping[str, Any]],
    digest: str,
    about: Mapping[str, Mapping[str, Any]],
    drawn: Sequence[Chart],
    behind: Mapping[str, sources.Source],
    told: Mapping[str, Sequence[str]],
) -> str:
    """The page as text. `digest`: of the file of verdicts. `told`: of claims what Git says of them."""
    by_name = {chart.name: chart for chart in drawn}
    of_chart = {name: set(pages.drawn_paths(about[name])) for name in by_name}
    again: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if record.get("repeats"):
            again.setdefault(record["repeats"], []).append(record)
    cards = {
        name: views.card(record, titles[post], digest, behind, of_chart, again.get(name, ()), told.get(name, ()))
        for record in show.counted(records)
        for name in [record["id"]]
    }
    sections = [
        laid_out(number, section, by_name, cards)
        for number, section in enumerate(pages.sections(records, {name: about[name] for name in by_name}), start=1)
    ]
    used, counts = readme.by_post(records)
    return layout.render(
        templates,
        TEMPLATE,
        titles,
        post=post,
        title=titles[post],
        sections=sections,
        unchecked=[(cards[each["id"]], each["needs"]) for each in records
                   if each["kind"] == Kind.CLAIM and each["verdict"] == Verdict.NOT_CHECKED],
        tally=[(verdict, layout.slug(verdict), layout.sign(verdict), counts[post][verdict]) for verdict in used],
        total=counts[post].total() if counts else 0,
        counts=show.counts(records),
        behind=list(behind.values()),
        resting=resting(cards.values()),
        reviews=layout.as_script(reviews(post, titles[post], show.counted(records))),
        uncounted=pages.uncounted,
        said=show.said,
    )  # fmt: skip


def laid_out(number: int, section: pages.Section, by_name: Mapping[str, Chart], cards: Mapping[str, Card]) -> Section:
    """The claims of the section, each with the first chart of it that draws a table the claim rests on."""
    left = [cards[record["id"]] for record in section.claims]
    blocks = []
    for name in section.charts:
        here = [card for card in left if name in card.charts]
        left = [card for card in left if name not in card.charts]
        blocks.append(dataclasses.replace(by_name[name], claims=tuple(here)))
    return Section(f"section-{number}", section.title, tuple(blocks), tuple(left), section.findings, section.others)


def resting(cards) -> dict[str, int]:
    """How many claims rest on each table, by path."""
    found: dict[str, int] = {}
    for card in cards:
        for source in card.sources:
            found[source.path] = found.get(source.path, 0) + 1
    return found


def reviews(post: str, title: str, claims: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """schema.org: a ClaimReview of every claim. What neither holds nor fails has a rating's name and no number."""
    by = {"@type": "Organization", "name": "postproof"}
    graph = []
    for record in claims:
        graph.append({
            "@type": "ClaimReview",
            "url": f"{post}.html#{record['id']}",
            "claimReviewed": record["statement"],
            "itemReviewed": {"@type": "Claim", "appearance": {"@type": "CreativeWork", "name": title}},
            "reviewRating": {"@type": "Rating"} | show.rating(record),
            "author": by,
        })  # fmt: skip
    return {"@context": "https://schema.org", "@graph": graph}
