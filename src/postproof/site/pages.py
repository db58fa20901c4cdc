"""The pages beside those of the posts: where to start, all claims, what several posts speak of, how to read a verdict.

With them come the style, the scripts (ours, and that of interactive charts) and index.json, which says what the pages
say to programs.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from postproof.claims import Evidence, Kind, Severity, Verdict, artefacts, document, readme, show
from postproof.claims.rules import RULES
from postproof.claims.strict import naming
from postproof.core import files
from postproof.core.errors import ArtefactError
from postproof.interactive import bundle
from postproof.site import families, layout

PAGES = ("index.html", "claims.html", "families.html", "verdicts.html")
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
    parser.add_argument("--lock", type=Path, nargs="?", help="requirements.lock, where there are interactive charts")
    layout.add_arguments(parser, "results/site/index.html; the others are written beside it")


def main(args: argparse.Namespace) -> None:
    """Raises ArtefactError when an input is missing or not what it should be, ClaimError when claims cannot be read."""
    titles, others, counts = (layout.json_object(getattr(args, name), name) for name in ("titles", "others", "counts"))
    templates = layout.read_templates(args.templates)
    missing = [name for name in (*PAGES, *ASSETS) if name not in templates]
    if missing:
        raise ArtefactError("no such template of the pages", file=missing[0], remedy="`git checkout` it")
    records = [record for path in args.records for record in show.read(path)]
    by_post = {path.stem: path for path in args.claims}
    documents = [document.read(path, [by_post[other] for other in others[post]]) for post, path in by_post.items()]
    with naming():
        works = {path.stem: artefacts.read_work(path) for path in args.works}
    found = families.find(documents, records, [path.stem for path in args.shared], works)
    folder = args.out.parent
    for name, text in pages(templates, titles, records, found, args.first, args.guide, counts).items():
        files.write_text(folder / name, text)
    for name in ASSETS:
        files.write_text(folder / name, templates[name])
    if args.lock:
        files.write_text(folder / CHARTS_SCRIPT, bundle.script(args.lock, charts_script()))
    files.write_json(folder / INDEX, index(titles, records))


def charts_script() -> str:
    """What draws the interactive charts of a page, each within the element that site.js hands over."""
    return MOUNT.format(lines=bundle.draw('(name) => root.querySelector(`[data-part="${name}"]`)', "keys"))


def pages(
    templates: Mapping[str, str],
    titles: Mapping[str, str],
    records: Sequence[Mapping[str, Any]],
    found: Sequence[families.Family],
    first: Sequence[str],
    guide: Sequence[Path],
    counts: Mapping[str, int],
) -> dict[str, str]:
    """The text of each page by name."""
    claims = show.counted(records)
    used, tally = readme.by_post(records)
    heads = readme.first(first, records) if first else sorted(claims, key=show.weight)[:FIRST]
    looks = {verdict.value: (layout.slug(verdict), layout.sign(verdict)) for verdict in Verdict}
    common = {"said": show.said, "got": show.got, "because": show.because, "looks": looks, "used": used, "tally": tally}
    content: dict[str, dict[str, Any]] = {
        "index.html": {
            "heads": heads,
            "total": len(claims),
            "words": show.counts(records),
            "numbers": counts,
            "families": found,
        },
        "claims.html": {
            "claims": sorted(claims, key=show.weight),
            "severities": [each.value for each in Severity],
            "kinds": [kind.value for kind in Evidence if any(kind in (each.get("evidence") or []) for each in claims)],
        },
        "families.html": {"families": found},
        "verdicts.html": {
            "verdicts": list(reversed(Verdict)),
            "severities": list(Severity),
            "evidence": list(Evidence),
            "kinds": list(Kind),
            "rules": [(name, _paragraphs(rule.decide.__doc__), list(rule.options), rule.code)
                      for name, rule in RULES.items()],
            "guide": [section(path, "What decides") for path in guide],
            "chance": [sentence for sentence in show.counts(records).split(". ") if "interval" in sentence],
        },
    }  # fmt: skip
    return {name: layout.render(templates, name, titles, **common, **content[name]) for name in PAGES}


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


def index(titles: Mapping[str, str], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """For programs: the posts with their tally, and each claim with its verdict and where it is told."""
    _, tally = readme.by_post(records)
    return {
        "posts": [
            {"name": post, "title": title, "page": f"{post}.html", "verdicts": dict(sorted(tally[post].items()))}
            for post, title in titles.items()
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
