"""The pages beside those of the posts: where to start, all claims, what several posts speak of, how to read a verdict,
how claims were found.

With them come the style, the scripts (ours, and that of interactive charts) and index.json, which says what the pages
say to programs.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from postproof.claims import Evidence, Kind, Severity, Verdict, artefacts, document, readme, show
from postproof.claims import pages as markdown_pages
from postproof.claims.rules import RULES
from postproof.claims.strict import naming
from postproof.core import files
from postproof.core.errors import ArtefactError
from postproof.interactive import bundle
from postproof.site import families, found, history, layout, sources, themes

PAGES = ("index.html", "claims.html", "families.html", "verdicts.html", "found.html")
FAMILY = "family.html"  # the template of families' pages
ASSETS = ("style.css", "site.js")  # copied as they are
CHARTS_SCRIPT, INDEX = "charts.js", "index.json"
FIRST = 12  # findings to show where no README says which
# Each chart of a page finds its parts within its own figure; site.js calls this.
MOUNT = "window.drawTwin = (root, keys) => {{\n{lines}\n}};"
# A section of a Markdown file: from its heading to the next of the same depth.
SECTION = r"^## {title}\n(.*?)(?=^## |\Z)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    files_of = {"type": Path, "nargs": "*", "default": []}
    parser.add_argument(
        "--records", type=Path, nargs="+", required=True, help="results/{post}/claims.json of all posts"
    )
    parser.add_argument("--claims", type=Path, nargs="+", required=True, help="claims/{post}.yaml, all")
    parser.add_argument("--others", required=True, help="JSON: which posts the claims of a post name")
    parser.add_argument("--works", **files_of, help="data/published/{work}.yaml")
    parser.add_argument("--shared", **files_of, help="schemas of tables that several posts have")
    parser.add_argument("--guide", **files_of, help="docs/claims.md, how claims are judged")
    parser.add_argument("--first", nargs="*", default=[], metavar="ID", help="claims that a reader should see first")
    parser.add_argument("--counts", required=True, help="JSON: how many there are of what the pages are made from")
    parser.add_argument("--families", **files_of, help="claims/families/{name}.yaml")
    parser.add_argument("--charts", required=True, help="JSON: by post and name `caption`, `tables`, `measured`")
    parser.add_argument("--inventories", **files_of, help="claims/{post}.numbers.csv")
    parser.add_argument("--readings", **files_of, help="data/readings/{post}.csv")
    parser.add_argument("--history", **files_of, help="data/history/{post}/claims.csv")
    parser.add_argument("--rebuilds", type=Path, nargs="?", help="data/history/rebuilds.csv")
    parser.add_argument("--lock", type=Path, nargs="?", help="requirements.lock, where there are interactive charts")
    layout.add_arguments(parser, "results/site/index.html; the others are written beside it")


def main(args: argparse.Namespace) -> None:
    """Raises ArtefactError when an input is missing or not what it should be, ClaimError when claims cannot be read."""
    titles, others, counts, charts = (
        layout.json_object(getattr(args, name), name) for name in ("titles", "others", "counts", "charts")
    )
    templates = layout.read_templates(args.templates)
    missing = [name for name in (*PAGES, FAMILY, *ASSETS) if name not in templates]
    if missing:
        raise ArtefactError("no such template of the pages", file=missing[0], remedy="`git checkout` it")
    records = {path.parent.name: show.read(path) for path in args.records}
    every = [record for of_post in records.values() for record in of_post]
    by_post = {path.stem: path for path in args.claims}
    documents = [document.read(path, [by_post[other] for other in others[post]]) for post, path in by_post.items()]
    with naming():
        works = {path.stem: artefacts.read_work(path) for path in args.works}
    alike = families.find(documents, every, [path.stem for path in args.shared], works)
    pasts = {path.parent.name: history.read(path, history.Claimed) for path in args.history}
    content = Content(
        records=every,
        families=alike,
        themes=[themes.read(path, show.counted(every), alike) for path in args.families],
        charts=charts,
        first=args.first,
        guide=args.guide,
        counts=counts,
        covered=[found.covered(path, show.counted(records[path.name.split(".")[0]])) for path in args.inventories],
        readings=[found.reading(path, records[path.stem]) for path in args.readings],
        fixed=[
            found.fixed(post, show.counted(records[post]), past, history.digests(by_post[post].read_text("utf-8")))
            for post, past in pasts.items()
            if post in records
        ],
        rebuilds=sources.read_rows(args.rebuilds) if args.rebuilds else [],
    )
    folder = args.out.parent
    for name, text in pages(templates, titles, content).items():
        files.write_text(folder / name, text)
    for name in ASSETS:
        files.write_text(folder / name, templates[name])
    if args.lock:
        files.write_text(folder / CHARTS_SCRIPT, bundle.script(args.lock, charts_script()))
    files.write_json(folder / INDEX, index(titles, every, content.themes))


def charts_script() -> str:
    """What draws the interactive charts of a page, each within the element that site.js hands over."""
    return MOUNT.format(lines=bundle.draw('(name) => root.querySelector(`[data-part="${name}"]`)', "keys"))


@dataclass(frozen=True)
class Content:
    """What the pages show. `records`: of all posts; `charts`: by post and name `caption`, `tables`, `measured`."""

    records: Sequence[Mapping[str, Any]]
    families: Sequence[families.Family] = ()
    themes: Sequence[themes.Theme] = ()
    charts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    first: Sequence[str] = ()
    guide: Sequence[Path] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    covered: Sequence[found.Covered] = ()
    readings: Sequence[found.Reading] = ()
    fixed: Sequence[found.Fixed] = ()
    rebuilds: Sequence[Mapping[str, str]] = ()


def pages(templates: Mapping[str, str], titles: Mapping[str, str], content: Content) -> dict[str, str]:
    """The text of each page by name."""
    claims = show.counted(content.records)
    used, tally = readme.by_post(content.records)
    heads = readme.first(content.first, content.records) if content.first else sorted(claims, key=show.weight)[:FIRST]
    looks = {verdict.value: (layout.slug(verdict), layout.sign(verdict)) for verdict in Verdict}
    common = {"said": show.said, "got": show.got, "because": show.because, "looks": looks, "used": used, "tally": tally,
              "total": len(claims), "words": show.counts(content.records)}  # fmt: skip
    of_page: dict[str, dict[str, Any]] = {
        "index.html": {
            "heads": heads,
            "numbers": content.counts,
            "families": content.themes or content.families,
            "rebuilt": max(content.rebuilds, key=lambda row: row["date_utc"], default=None),
            "rebuilds": content.rebuilds,
        },
        "claims.html": {
            "claims": sorted(claims, key=show.weight),
            "severities": [each.value for each in Severity],
            "kinds": [kind.value for kind in Evidence if any(kind in (each.get("evidence") or []) for each in claims)],
        },
        "families.html": {"families": content.families, "themes": content.themes},
        "verdicts.html": {
            "verdicts": list(reversed(Verdict)),
            "severities": list(Severity),
            "evidence": list(Evidence),
            "kinds": list(Kind),
            "rules": [(name, _paragraphs(rule.decide.__doc__), list(rule.options), rule.code)
                      for name, rule in RULES.items()],
            "guide": [section(path, "What decides") for path in content.guide],
            "chance": [sentence for sentence in show.counts(content.records).split(". ") if "interval" in sentence],
        },
        "found.html": {
            "covered": content.covered,
            "readings": content.readings,
            "fixed": content.fixed,
            "guide": [section(path, "How claims are found") for path in content.guide],
        },
    }  # fmt: skip
    made = {name: layout.render(templates, name, titles, **common, **of_page[name]) for name in PAGES}
    for theme in content.themes:
        drawn = charts_on(theme, content.charts)
        made[theme.page] = layout.render(templates, FAMILY, titles, **common, theme=theme, charts=drawn)
    return made


def charts_on(theme: themes.Theme, charts: Mapping[str, Mapping[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """By post the charts that draw what the theme's claims rest on: names, and the first sentence of each caption."""
    drawn = {}
    for post, records in theme.posts.items():
        paths = {path for record in records for path in markdown_pages.paths_of(record)}
        drawn[post] = [(name, about["caption"].split(". ")[0].rstrip("."))
                       for name, about in charts.get(post, {}).items()
                       if paths & set(markdown_pages.drawn_paths(about))]  # fmt: skip
    return drawn


def _paragraphs(docstring: str | None) -> list[Markup]:
    """Of a docstring, with what stands between backticks as code."""
    parts = [" ".join(part.split()) for part in (docstring or "").split("\n\n")]
    return [Markup(markdown().renderInline(part)) for part in parts]


def markdown() -> MarkdownIt:
    """HTML in a text is shown, not taken over."""
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def section(path: Path, title: str) -> Markup:
    """A section of a Markdown file as HTML; HTML in it is shown and not taken over.

    Raises ArtefactError when the file has no such section.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArtefactError("cannot read how claims are judged", file=path, remedy="`git checkout` it") from error
    found = re.search(SECTION.format(title=re.escape(title)), text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ArtefactError("no such section", file=path, section=title, remedy="`git checkout` it")
    html = markdown().render(found[1])
    return Markup(html.replace("<th>", '<th scope="col">'))


def index(
    titles: Mapping[str, str], records: Sequence[Mapping[str, Any]], subjects: Sequence[themes.Theme]
) -> dict[str, Any]:
    """For programs: the posts with their tally, and each claim with its verdict and where it is told."""
    _, tally = readme.by_post(records)
    return {
        "posts": [
            {"name": post, "title": title, "page": f"{post}.html", "verdicts": dict(sorted(tally[post].items()))}
            for post, title in titles.items()
        ],
        "subjects": [
            {"title": each.title, "page": each.page, "claims": [record["id"] for record in each.records]}
            for each in subjects
        ],
        "claims": [
            {
                "id": record["id"],
                "post": record["post"],
                "page": f"{record['post']}.html#{record['id']}",
                "statement": record["statement"],
                "posted": record["posted"],
                "unit": record["unit"],
                "got": record["got"],
                "verdict": record["verdict"],
                "severity": record.get("severity"),
                "evidence": record.get("evidence") or [],
            }
            for record in show.counted(records)
        ],
    }
