"""Whether each column of the metrics tables is used: by a claim or finding, a chart, or a job that makes a table of it.

Part of `make lint`. What a claim uses stands in its file. What a chart or a job uses is looked for in its code and in
the modules of its post that it imports: attributes, strings that are a name, and f-strings such as f"{measure}_low",
whose gaps must be filled by names or numbers that the code has too. Labels, checkpoints and columns that tell rows
apart need no use.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import yaml

from postproof.claims import document
from postproof.claims.artefacts import Selection
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.core.strict_yaml import StrictLoader
from postproof.engines import codegraph, inventory
from postproof.engines.codegraph import PACKAGE, SCHEMAS

NOT_METRICS = ("posted_", "measured_")  # what others published or machines gave: kept whole


@dataclasses.dataclass(frozen=True)
class Names:
    """Names that stand in some code, and patterns of those that it composes."""

    words: frozenset[str]
    patterns: frozenset[str]

    def has(self, name: str) -> bool:
        if name in self.words:
            return True
        matches = (re.fullmatch(pattern, name) for pattern in self.patterns)
        return any(match and all(part in self.words or part.isdigit() for part in match.groups()) for match in matches)


def check(root: Path) -> None:
    """Raises ArtefactError naming the first column that nothing uses."""
    found = unused(root)
    if found:
        table, column = found[0]
        raise ArtefactError(
            "no claim, finding, chart or job uses the column", table=table, column=column, columns=len(found),
            remedy="use it, drop it, or say `tells_rows: true` in its schema if it only tells rows apart",
        )  # fmt: skip


def unused(root: Path) -> list[tuple[str, str]]:
    """Table and column of each number that nothing uses; a table with the columns of another (`like`) counts as that.

    Raises the errors of whoever reads claims, charts and schemas.
    """
    used: dict[str, set[str]] = defaultdict(set)
    readers: list[tuple[str, Names]] = []
    for post in inventory.posts(root):
        others = inventory.claims(root, post).others
        claims = document.read(root / f"claims/{post}.yaml", [root / f"claims/{other}.yaml" for other in others])
        for source in claims.values.values():
            if isinstance(source, Selection):
                used[base(root, source.table)] |= {source.column, *source.where}
    for chart in inventory.charts(root, codegraph.Sources.read(root)):
        readers += [(base(root, table), names(root / chart.code)) for table in chart.tables]
    for path in sorted((root / "src" / PACKAGE).glob("*/**/[!.]*.py")):
        if "figures" not in path.parts:
            readers += [(base(root, table), names(path)) for table in _tables_read(path)]
    for table, mentioned in readers:
        used[table] |= {column for column in _schema(root, table) if mentioned.has(column)}
    return [
        (table, column.name)
        for table in _metrics(root)
        for column in _schema(root, table).values()
        if not (column.is_label or column.checkpoint or column.tells_rows or column.name in used[table])
    ]


def base(root: Path, table: str) -> str:
    """The table whose columns this one has; itself if they are its own."""
    path = root / inventory.schema_of(root, table)
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=StrictLoader)
    return base(root, content["like"]) if "like" in content else f"{path.parent.name}/{path.stem}"


def _schema(root: Path, table: str) -> dict[str, tables.Column]:
    return tables.read_schema(root / SCHEMAS / f"{table}.yaml")


def _metrics(root: Path) -> list[str]:
    """Metrics tables with columns of their own."""
    found = sorted((root / SCHEMAS).glob("*/[!.]*.yaml"))
    own = [f"{path.parent.name}/{path.stem}" for path in found if not path.stem.startswith(NOT_METRICS)]
    return [table for table in own if base(root, table) == table]


@functools.cache
def names(path: Path) -> Names:
    """Those of the module and of the modules of its post that it imports."""
    words, patterns = set(), set()
    for module in _with_imports(path):
        tree = ast.parse(module.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            words |= set(_words(node))
            if isinstance(node, ast.JoinedStr):
                parts = [re.escape(part.value) if isinstance(part, ast.Constant) else r"(\w+)" for part in node.values]
                if any(isinstance(part, ast.Constant) for part in node.values):
                    patterns.add("".join(parts))
    return Names(frozenset(words), frozenset(patterns))


def _words(node: ast.AST) -> Iterator[str]:
    """Attributes, strings that are a name, and the names in `query(...)` and `"a b".split()`."""
    if isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
        yield node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        texts = {"query": node.args, "split": [node.func.value]}.get(node.func.attr, [])
        for text in texts:
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield from re.findall(r"\w+", text.value)


def _with_imports(path: Path) -> list[Path]:
    """The module, and the modules of the same post that it imports, and so on."""
    sources, found, left = _sources(path), [], [path]
    while left:
        module = left.pop()
        found.append(module)
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                wanted = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                paths = [sources / f"{name.replace('.', '/')}.py" for name in wanted]
                left += [
                    path for path in paths if path.is_file() and _same_post(path, module) and path not in found + left
                ]
    return found


def _sources(path: Path) -> Path:
    return next(above.parent for above in path.parents if above.name == PACKAGE)


def _same_post(path: Path, module: Path) -> bool:
    sources = _sources(path)
    return path.relative_to(sources).parts[1] == module.relative_to(sources).parts[1]


def _tables_read(path: Path) -> list[str]:
    """Names of the tables that the module reads with `tables.read`."""
    return [
        node.args[1].value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "tables.read"
        and len(node.args) == 2
        and isinstance(node.args[1], ast.Constant)
    ]
