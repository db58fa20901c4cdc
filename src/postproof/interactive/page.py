"""The page of a twin: the sentence, switches, the chart, the claims on it, and the table of its values.

The table is the data: the script reads it and draws it. Without scripts the page shows the static chart and the table.
The page needs the one script of all twins and the static chart beside it, by relative paths, and no network.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from postproof.charts import palette
from postproof.claims import document, show
from postproof.core import files, tables
from postproof.interactive import told
from postproof.interactive.spec import DASHES, ON_DARK, is_filled, shape, spec
from postproof.interactive.twin import NAME, PANEL, TOLD, Series, Twin, values

FIGURES, SCRIPT, ROOT = "../figures", "../../interactive.js", "../../.."  # from results/{post}/interactive
TEXTS = (NAME, PANEL, TOLD)  # fields that hold words

PAGE = {"page": palette.WHITE, "text": palette.BLACK, "quiet": palette.DARK_GREY, "line": palette.PALE_GREY}
STYLE = """
body { margin: 0 auto; padding: 1rem; max-width: 46rem; font: 16px/1.5 system-ui, sans-serif;
  background: var(--page); color: var(--text); }
h1 { font-size: 1.2rem; line-height: 1.35; }
h2 { font-size: 1rem; }
p, figcaption, summary, .values, .claims { font-size: .875rem; }
figure { margin: 1rem 0; }
figcaption, .quiet { color: var(--quiet); }
a { color: inherit; overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; background: white; }
#chart { overflow-x: auto; }
#chart svg { max-width: 100%; height: auto; }
:focus-visible { outline: 3px solid var(--text); outline-offset: 2px; }
fieldset { border: 1px solid var(--line); display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
label { display: inline-flex; align-items: center; gap: .35rem; font-size: .875rem; min-height: 24px; }
.key { color: var(--light); }
@media (prefers-color-scheme: dark) { .key { color: var(--dark); } }
#tip { position: fixed; z-index: 1; max-width: 24rem; padding: .5rem .75rem; border: 1px solid var(--quiet);
  background: var(--page); color: var(--text); font-size: .8125rem; line-height: 1.4; pointer-events: none; }
.scrolls { overflow: auto; max-height: 30rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { position: sticky; top: 0; background: var(--page); }
[hidden] { display: none !important; }
"""


def add_arguments(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """The arguments of every twin; `names` are the tables of its chart."""
    parser.add_argument("--tables", type=Path, nargs=len(names), required=True, metavar=tuple(names))
    parser.add_argument("--claims", type=Path, required=True, help="claims/{post}.yaml")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="claims of the posts that these name")
    parser.add_argument("--records", type=Path, required=True, help="results/{post}/claims.json")
    parser.add_argument("--caption", required=True, help="of the static chart")
    parser.add_argument("--out", type=Path, required=True, help="results/{post}/interactive/{chart}.html")


def write(args: argparse.Namespace, names: Sequence[str], twin: Twin) -> None:
    """Writes the page of the twin of the chart that draws the tables `names`.

    Raises ArtefactError when there are no verdicts, ClaimError when the claims cannot be read.
    """
    post, records = document.read(args.claims, args.others), show.read(args.records)
    files.write_text(args.out, page(args.out.stem, args.caption, names, twin, post, records))


def page(
    name: str,
    caption: str,
    names: Sequence[str],
    twin: Twin,
    post: document.Document,
    records: Sequence[Mapping[str, Any]],
) -> str:
    """The page as text. `name` is the chart's."""
    words, claims = told.told(twin, post, records)
    sources = ", ".join(link(f"{ROOT}/{tables.path_of(each)}", tables.path_of(each)) for each in names)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(twin.says)}</title>
<meta name="description" content="{escape(caption)}">
<style>{style()}</style>
<script type="application/json" id="twin">{json_text(twin)}</script>
<script defer src="{SCRIPT}"></script>
</head>
<body>
<main>
<h1>{escape(twin.says)}</h1>
<fieldset id="switches" hidden>
<legend class="quiet">Show</legend>
{"".join(map(switch, twin.looks().values()))}</fieldset>
<figure>
<div id="chart"><img src="{FIGURES}/{name}.svg" alt="{escape(twin.says)}"></div>
<p id="keys" class="quiet" hidden>Point at a mark; or go to the chart with the Tab key, from mark to mark with the left
and right arrow keys, from series to series with up and down. Escape closes what is told.</p>
<figcaption>{escape(caption)} {link(f"{FIGURES}/{name}.svg", "Static chart")},
{link("../README.md", f"all claims of “{post.title}”")}. Source: {sources}.</figcaption>
</figure>
<div id="tip" role="status" hidden></div>
{claims_table(claims)}<details>
<summary>The {sum(len(series.rows) for series in twin.series):,} values of the chart</summary>
<div class="scrolls" tabindex="0" role="region" aria-label="Values of the chart">
{values_table(twin, words)}</div>
</details>
</main>
</body>
</html>
"""


def style() -> str:
    """The page's colours, on a light screen and on a dark one, and its style."""
    light, dark = (
        " ".join(f"--{name}: {turned.get(colour, colour)};" for name, colour in PAGE.items())
        for turned in ({}, ON_DARK)
    )
    on_dark = f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"
    return f":root {{ color-scheme: light dark; {light} }}\n{on_dark}{STYLE}"


def link(to: str, text: str) -> str:
    return f'<a href="{escape(to)}">{escape(text)}</a>'


def json_text(twin: Twin) -> str:
    """The specification, colours that turn on a dark page, and by which fields the arrow keys tell lines of marks.

    As the content of a script element, which ends where its end tag stands, within a text or not.
    """
    fields, panel = twin.fields(), twin.panels[0]
    of_line = [fields[panel.y.title]] if panel.shade else [fields["seed"]] if "seed" in fields else []
    by_panel = [PANEL] if len(twin.panels) > 1 else []
    content = {"spec": spec(twin), "dark": ON_DARK, "lines": [*by_panel, NAME, *of_line]}
    return json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def switch(series: Series) -> str:
    """A check box with the look of the series."""
    name = escape(series.name)
    return f'<label><input type="checkbox" name="series" value="{name}" checked>{key(series)}{name}</label>\n'


def key(series: Series) -> str:
    """How the series looks, small; of a map's cells the scale of colours says it."""
    if series.shade:
        return ""
    colour, size = series.look.colour, 5 if series.is_posted else 2 if series.thin else 4
    colours = f"--light:{colour};--dark:{ON_DARK.get(colour, colour)}"
    dashes, width = " ".join(map(str, DASHES[series.line])), 1 if series.thin else 2
    line = f'<path d="M0,7H28" stroke-dasharray="{dashes}" stroke-width="{width}"/>' if series.line else ""
    fill = "currentColor" if is_filled(series) else "none"
    return (
        f'<svg class="key" style="{colours}" width="28" height="14" aria-hidden="true" stroke="currentColor" '
        f'stroke-width="1.5">{line}<path transform="translate(14,7) scale({size})" d="{shape(series.look)}" '
        f'fill="{fill}" vector-effect="non-scaling-stroke"/></svg>'
    )


def claims_table(claims: Sequence[Mapping[str, Any]]) -> str:
    """The claims on what the chart draws, with their verdicts."""
    if not claims:
        return ""
    head = "".join(f'<th scope="col">{title}</th>' for title in ("The post says", "", "We get", "Verdict"))
    rows = "".join(
        f"<tr><td>{'</td><td>'.join(map(escape, cells))}</td></tr>\n"
        for cells in ((each["statement"], show.said(each), show.got(each), told.verdict(each)) for each in claims)
    )
    head = head.replace('<th scope="col"></th>', "<td></td>")  # a heading without a text is none
    return (
        f'<h2>What the post says of it</h2>\n<div class="scrolls" tabindex="0" role="region" aria-label="Claims">\n'
        f'<table class="claims">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n'
    )


def values_table(twin: Twin, words: dict[tuple[int, int], str]) -> str:
    """A row per value, as the script reads them: which field a column is, and whether it holds numbers."""
    fields = twin.fields()
    rows = list(values(twin, words))
    head = "".join(
        f'<th scope="col" data-field="{field}"{_is_number(rows, title, field)}>{escape(title)}</th>'
        for title, field in fields.items()
    )
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(row.get(title, ''))}" for title in fields) + "</tr>\n" for row in rows
    )
    return f'<table class="values" id="values">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n'


def _is_number(rows: Sequence[Mapping[str, str]], title: str, field: str) -> str:
    """Whether all cells of the column that are not empty are numbers."""
    if field in TEXTS:
        return ""
    try:
        [float(row[title]) for row in rows if row.get(title)]
    except ValueError:
        return ""
    return " data-number"
