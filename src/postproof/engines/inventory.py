"""Which posts, charts and tables there are: found in the tree, listed nowhere.

A post is a file claims/{post}.yaml. A chart is a module src/postproof/{post}/figures/{chart}.py with

    TABLES    names of the tables that it draws, `{post}/{table}`, in the order in which it reads them
    MEASURED  names of the measurements, where it draws some: folders of data/measured

Its docstring is its caption. It is drawn when it has tables, or when some machine's measurement is at hand.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from postproof.claims import cells
from postproof.core.errors import ClaimError, EngineError
from postproof.core.tables import base_of, path_of
from postproof.engines.codegraph import PACKAGE, SCHEMAS, Sources

TABLES, MEASURED = "TABLES", "MEASURED"
NAME = re.compile(r"[a-z][a-z0-9_]*")  # of a post, an experiment, a chart
NAMES = "small letters, digits and _, a letter first"


@dataclasses.dataclass(frozen=True)
class Chart:
    post: str
    name: str
    tables: tuple[str, ...]  # {post}/{table}
    measured: tuple[str, ...]  # paths of the machines' tables
    caption: str

    @property
    def code(self) -> str:
        return f"src/{PACKAGE}/{self.post}/figures/{self.name}.py"

    @property
    def about(self) -> list[str]:
        """What was measured where, beside each machine's table."""
        return [f"{table.removesuffix('.csv')}.json" for table in self.measured]


@dataclasses.dataclass(frozen=True)
class Claims:
    """What the claims of a post are judged by: tables by {post}/{table}, and paths of what else. The post's title."""

    title: str
    tables: tuple[str, ...]
    schemas: tuple[str, ...]
    works: tuple[str, ...]  # publications whose figures are repeated
    others: tuple[str, ...]  # names of posts


def posts(root: Path) -> list[str]:
    """The posts by name. Raises ClaimError for a name that is none: only in small letters are two names two files
    on every disk."""
    found = sorted((root / "claims").glob("[!.]*.yaml"))
    for path in found:
        if not NAME.fullmatch(path.stem):
            raise ClaimError("not a name for a post", file=path.relative_to(root), value=path.stem, allowed=NAMES,
                             remedy="rename the file")  # fmt: skip
    return [path.stem for path in found]


def check_names(posts: Iterable[str], taken: Iterable[str]) -> None:
    """Raises ClaimError for a post whose page would have the name of another one."""
    taken = list(taken)
    for post in posts:
        if post in taken:
            raise ClaimError("a post cannot have the name of another page", file=f"claims/{post}.yaml", value=post,
                             taken=", ".join(taken), remedy="rename the post")  # fmt: skip


def rule_files(root: Path, post: str) -> list[str]:
    """Rule files of a post, {post}.smk and {post}_*.smk, relative to `root`."""
    found = [*(root / "workflow/rules").glob(f"{post}.smk"), *(root / "workflow/rules").glob(f"{post}_*.smk")]
    return [path.relative_to(root).as_posix() for path in sorted(found)]


def charts(root: Path, sources: Sources) -> list[Chart]:
    """The charts that can be drawn here, by post and name.

    Raises EngineError for a module that names no table and no measurement as a chart has to, or has no chart's name.
    """
    found = []
    for post in posts(root):
        prefix = f"{PACKAGE}.{post}.figures."
        for module, known in sources.modules.items():
            if not module.startswith(prefix) or module.removeprefix(f"{PACKAGE}.") not in sources.commands:
                continue
            tables, measurements = (_names(known.constants, key, sources.files[module]) for key in (TABLES, MEASURED))
            if not tables and not measurements:
                raise EngineError("chart names no tables", file=sources.files[module],
                                  allowed=f'{TABLES} = ("{post}/...",) or {MEASURED} = ("...",)',
                                  remedy="name what it draws")  # fmt: skip
            paths = [path.relative_to(root).as_posix() for name in measurements
                     for path in sorted((root / "data/measured" / name).glob("[!.]*.csv"))]  # fmt: skip
            if tables or paths:
                name = module.removeprefix(prefix)
                if not NAME.fullmatch(name):
                    raise EngineError("not a name for a chart", file=sources.files[module], value=name, allowed=NAMES,
                                      remedy="rename the file")  # fmt: skip
                found.append(Chart(post, name, tables, tuple(paths), _caption(known.docstring)))
    return sorted(found, key=lambda chart: (chart.post, chart.name))


def claims(root: Path, post: str) -> Claims:
    """What the claims of a post are judged by; what else is wrong with them the judge says.

    Raises ClaimError when the file is no YAML, or names a table that has no schema.
    """
    path = root / f"claims/{post}.yaml"
    content = _mapping(path)
    values, others = content.get("values") or {}, content.get("others") or []
    if not isinstance(values, dict) or not isinstance(others, list):
        raise ClaimError("not a mapping of values, or not a list of other posts", file=path)
    entries = [entry for entry in values.values() if isinstance(entry, dict)] + list(cells.entries(content))
    named = {str(entry["table"]) for entry in entries if "table" in entry}
    tables = tuple(sorted({table if "/" in table else f"{post}/{table}" for table in named}))
    works = sorted({str(entry["figure"]).split(".")[0] for entry in entries if "figure" in entry})
    works = [f"data/published/{work}.yaml" for work in works]
    for work in works:
        if not (root / work).is_file():
            raise ClaimError("no such published work", file=path, work=work, remedy="write it, or mend the name")
    schemas = []
    for table in tables:
        schema = schema_of(root, table)
        if schema is None:
            raise ClaimError("table has no schema", file=path, table=table, remedy=f"write {SCHEMAS}/{table}.yaml")
        schemas += _with_base(root, schema)
    return Claims(
        str(content.get("title") or ""),
        tables,
        tuple(dict.fromkeys(schemas)),
        tuple(works),
        tuple(str(other) for other in others),
    )


def files_of(root: Path, names: Iterable[str], results: str) -> list[str]:
    """Paths of the tables {post}/{table}; of a measurement that of each machine."""
    found = []
    for path in (path_of(name, results) for name in names):
        if path.endswith(".csv"):
            found.append(path)
        else:
            found += [each.relative_to(root).as_posix() for each in sorted((root / path).glob("[!.]*.csv"))]
    return found


@dataclasses.dataclass(frozen=True)
class Shown:
    """Paths of the tables that the page of a post shows, and of their schemas."""

    tables: tuple[str, ...]
    schemas: tuple[str, ...]


def shown(root: Path, charts: Iterable[Chart], judged: Claims, results: str) -> Shown:
    """What the charts and the claims of one post are made from; measurements have no schema unless claims use them."""
    charts = list(charts)
    drawn = [name for chart in charts for name in chart.tables]
    measured = [path for chart in charts for path in chart.measured]
    paths = [*files_of(root, [*drawn, *judged.tables], results), *measured]
    schemas = [*filter(None, (schema_of(root, name) for name in drawn)), *judged.schemas]
    return Shown(tuple(dict.fromkeys(paths)), tuple(dict.fromkeys(schemas)))


def schema_of(root: Path, table: str) -> str | None:
    """Where the schema of {post}/{table} stands: with the post, or with the tables that several posts have."""
    post, _, name = table.partition("/")
    for folder in (post, "published"):
        if (root / SCHEMAS / folder / f"{name}.yaml").is_file():
            return f"{SCHEMAS}/{folder}/{name}.yaml"
    return None


def _with_base(root: Path, schema: str) -> list[str]:
    """The schema, and the one that it has its columns from, if it does."""
    content = yaml.load((root / schema).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    like = content.get("like") if isinstance(content, dict) else None  # what is wrong with it the judge says
    return [schema] if like is None else [schema, base_of(Path(schema), like).as_posix()]


def _mapping(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ClaimError("cannot read YAML", file=path) from error
    if not isinstance(content, dict):
        raise ClaimError("not a mapping", file=path)
    return content


def _names(constants: dict[str, Any], key: str, file: str) -> tuple[str, ...]:
    names = constants.get(key, ())
    names = names if isinstance(names, list | tuple) else [names]
    if not all(isinstance(name, str) for name in names):
        raise EngineError("not names of tables", file=file, key=key, value=names, allowed="a tuple of texts")
    return tuple(names)


def _caption(docstring: str) -> str:
    return " ".join(docstring.removeprefix("Chart:").split("\n\n")[0].split())
