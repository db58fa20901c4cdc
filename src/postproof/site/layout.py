"""Templates, links and colours that all pages share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from postproof.claims import Verdict
from postproof.core.errors import ArtefactError, UsageError

ROOT, RESULTS = "../..", ".."  # from results/site
# Each verdict by a shape as well as by a colour: the name of its class in style.css, and a sign.
LOOKS = {
    Verdict.DOES_NOT_HOLD: ("false", "✕"),
    Verdict.NOT_REPRODUCED: ("false", "≠"),
    Verdict.UNDECIDED: ("open", "?"),
    Verdict.NOT_CHECKED: ("open", "○"),
    Verdict.HOLDS_IF: ("partly", "◐"),
    Verdict.AS_IN_SOURCE: ("source", "❝"),
    Verdict.REPRODUCED: ("true", "↻"),
    Verdict.HOLDS: ("true", "✓"),
}


def add_arguments(parser, out: str) -> None:
    """The arguments of every page."""
    parser.add_argument("--titles", required=True, help="JSON: titles of the posts by name")
    parser.add_argument("--templates", type=Path, nargs="+", required=True, help="what lays the pages out")
    parser.add_argument("--out", type=Path, required=True, help=out)


def json_object(text: str, name: str) -> dict[str, Any]:
    """Raises UsageError when the option is no JSON object."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--{name} is not JSON", value=text[:80]) from error
    if not isinstance(content, dict):
        raise UsageError(f"--{name} is not a JSON object", value=text[:80])
    return content


def read_templates(files: Sequence[Path]) -> dict[str, str]:
    """Texts by name. Raises ArtefactError when one cannot be read."""
    try:
        return {file.name: file.read_text(encoding="utf-8") for file in files}
    except (OSError, UnicodeDecodeError) as error:
        named = str(getattr(error, "filename", "") or ", ".join(map(str, files)))
        raise ArtefactError("cannot read the templates of the pages", file=named,
                            remedy="`git checkout` it") from error  # fmt: skip


def render(templates: Mapping[str, str], name: str, titles: Mapping[str, str], **content: Any) -> str:
    """The page that the template `name` lays out. Texts are escaped; a name that is not there is an error.

    Raises ArtefactError when a template is missing or cannot be filled in.
    """
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(dict(templates)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"href": href, "code_href": code_href, "titles": titles, "page": name}
    try:
        return environment.get_template(name).render(**content)
    except jinja2.TemplateError as error:
        raise ArtefactError("cannot lay out a page", template=name, remedy="mend the template") from error


def href(path: str) -> str:
    """From a page to a file of the repository, by its path from the root."""
    inside = path.removeprefix("results/")
    return f"{RESULTS}/{inside}" if inside != path else f"{ROOT}/{path}"


def code_href(decided_by: str) -> str:
    """From a page to the file of `FILE: function`."""
    return href(decided_by.partition(":")[0])


def as_script(content: Any) -> Markup:
    """JSON as the content of a script element, which ends where its end tag stands, within a text or not."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def slug(verdict: str) -> str:
    return LOOKS[Verdict(verdict)][0]


def sign(verdict: str) -> str:
    return LOOKS[Verdict(verdict)][1]
