"""Which code a command runs, as an input of its jobs: what decides the bytes, and nothing else.

Starting from a command's `add_arguments` and `main`, names are followed through the package: a function counts with the
functions, classes and constants that it uses, in its own module and in those that it imports from. What a module does
when it is imported counts as well. Comments, docstrings, formatting, and a function beside it that the command never
uses do not.

Each command has a file, build/code/{command}.txt, with a line per module: a digest of the statements that count, and
their names. Snakemake and DVC both take that file as an input of the command's jobs. It is made anew whenever a
Snakefile is read; `postproof code` makes it for DVC.

Names are resolved without running anything. What cannot be resolved counts whole: a module that is handed on as a
value, a decorator of our own. Code that is looked up by a computed name (getattr on a module, importlib) is not seen;
tests/unit/engines/test_codegraph.py traces real jobs and holds what they ran against these files.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from postproof.core import files, tables
from postproof.core.errors import EngineError

ROOT = Path(__file__).parents[3]  # the checkout whose code this is
FOLDER = Path("build/code")
CACHE = Path("build/modules.json")  # summaries of sources by sha256: parsing all of them takes most of a second
PACKAGE = "postproof"
SCHEMAS = Path("workflow/schemas/tables")
# Packages whose commands are run by people, not by jobs.
NOT_JOBS = ("engines", "measuring", "benchmarks")
# Every job is started by these.
STARTERS = ((f"{PACKAGE}.cli", "run"),)
WHOLE = "*"
TABLE = re.compile(r"[\w-]+/[\w-]+")  # {post}/{table}
FORMAT = "8"  # of the summaries: a cache of another one is not read


@dataclass(frozen=True)
class Statement:
    """A top-level statement of a module. `always`: it has an effect when the module is imported."""

    names: list[str]
    digest: str
    uses: list[str]  # `name` or `name.attribute`
    imports: dict[str, list[str]]  # name to [module, attribute or ""]: those inside it
    texts: list[str]  # string constants that may name the schema of a table
    always: bool


@dataclass(frozen=True)
class Module:
    statements: list[Statement]
    imports: dict[str, list[str]]
    docstring: str
    constants: dict[str, Any]  # names in capitals that stand for a text or a list of texts

    @classmethod
    def of(cls, summary: dict) -> Module:
        statements = [Statement(**statement) for statement in summary["statements"]]
        return cls(statements, summary["imports"], summary["docstring"], summary["constants"])


@dataclass
class Sources:
    """The package below `root`/src, read once."""

    root: Path
    modules: dict[str, Module] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)  # module to path from the root
    commands: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, root: Path) -> Sources:
        """Raises EngineError when a source is no Python."""
        sources = cls(root)
        cache = _read_cache(root / CACHE)
        known: dict[str, dict] = {}
        for path in sorted((root / "src" / PACKAGE).rglob("*.py")):
            below = path.relative_to(root / "src")
            parts = below.with_suffix("").parts
            if not all(part.isidentifier() for part in parts):
                continue  # nothing can import it: a copy that a file manager made, say
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            text = path.read_bytes()
            key = _digest(name, hashlib.sha256(text).hexdigest())  # relative imports go by where a module stands
            known[key] = cache.get(key) or _summary(text, path, parts)
            sources.modules[name] = Module.of(known[key])
            sources.files[name] = path.relative_to(root).as_posix()
            if known[key]["command"] and parts[1] not in NOT_JOBS:
                sources.commands.append(".".join(parts[1:]))
        if known.keys() != cache.keys():
            files.write_text(root / CACHE, json.dumps({"format": FORMAT, "modules": known}))
        return sources

    def listing(self, command: str) -> str:
        """What build/code/{command}.txt holds. Raises ValueError when there is no such command."""
        if command not in self.commands:
            raise ValueError(f"no command {command}")
        return _Closure(self).of(command)


class _Closure:
    """What is reached from one command."""

    def __init__(self, sources: Sources):
        self.sources = sources
        self.reached: dict[str, set[int]] = {}  # module to indices of its statements
        self.bound: dict[str, set[str]] = {}  # module to imports of other packages that are used, as text
        self.whole: set[str] = set()
        self.schemas: set[str] = set()

    def of(self, command: str) -> str:
        entry = f"{PACKAGE}.{command}"
        for module, name in ((entry, "add_arguments"), (entry, "main"), *STARTERS):
            self.visit(module, name)
        lines = [
            f"# What decides the bytes of `postproof {command}`: code by module, then schemas of its tables.",
            *(self._line(module) for module in sorted(self.reached) if self.reached[module] or self.bound.get(module)),
            *(f"{_schema_digest(self.sources.root / path)}  {path}" for path in sorted(self.schemas)),
        ]
        return "\n".join(lines) + "\n"

    def visit(self, module: str, name: str) -> None:
        """Adds what `name` of a module stands for; WHOLE for all that is in it."""
        if module not in self.sources.modules:
            return
        known = self.sources.modules[module]
        if module not in self.reached:
            self.reached[module] = set()
            for depth in range(1, module.count(".") + 1):  # Python runs the packages on the way
                self.visit(".".join(module.split(".")[:depth]), "")
            for index, statement in enumerate(known.statements):
                if statement.always:
                    self._add(module, index)
            for target in known.imports.values():  # and what it imports is run
                self._follow(module, target, None, "")
        if name == WHOLE:
            if module not in self.whole:
                self.whole.add(module)
                for index in range(len(known.statements)):
                    self._add(module, index)
                for imported in known.imports:
                    self._follow(module, known.imports[imported], "", imported)
            return
        if not name:
            return
        defining = [index for index, statement in enumerate(known.statements) if name in statement.names]
        for index in defining:
            self._add(module, index)
        targets = _bound_to(name, known.imports)
        for target in targets:
            self._follow(module, target, "", name)
        if not targets and not defining:
            submodule = f"{module}.{name}"
            if submodule in self.sources.modules:
                self.visit(submodule, WHOLE)
            elif not name.startswith("__"):
                self.visit(module, WHOLE)

    def _add(self, module: str, index: int) -> None:
        if index in self.reached[module]:
            return
        self.reached[module].add(index)
        known, statement = self.sources.modules[module], self.sources.modules[module].statements[index]
        for text in statement.texts:
            path = SCHEMAS / f"{text}.yaml"
            if (self.sources.root / path).is_file():
                self.schemas.add(path.as_posix())
        for name, target in statement.imports.items():
            if statement.always:  # the module has the name, as in `try: import`
                self._follow(module, target, "", name)
            else:
                self._follow(module, target, None, "")
        for use in statement.uses:
            base, _, attribute = use.partition(".")
            imports = statement.imports if _bound_to(base, statement.imports) else known.imports
            for target in _bound_to(base, imports):
                self._follow(module, target, attribute, base)
            if any(base in other.names for other in known.statements):
                self.visit(module, base)

    def _follow(self, module: str, target: list[str], attribute: str | None, name: str) -> None:
        """What an imported name leads to. `attribute` is what is taken from it: none means that it is used whole; None,
        that its import alone is meant.
        """
        source, imported = target
        if source.partition(".")[0] != PACKAGE:
            if name:
                self.bound.setdefault(module, set()).add(f"{source}:{imported}:{name}")
            return
        as_module = f"{source}.{imported}" if imported else source
        if as_module in self.sources.modules:
            self.visit(as_module, "" if attribute is None else attribute or WHOLE)
        elif attribute is None:
            self.visit(source, "")
        else:
            self.visit(source, imported)

    def _line(self, module: str) -> str:
        statements = self.sources.modules[module].statements
        indices = sorted(self.reached[module])
        parts = [statements[index].digest for index in indices] + sorted(self.bound.get(module, ()))
        names = dict.fromkeys(name for index in indices for name in statements[index].names)
        return f"{_digest(*parts)}  {self.sources.files[module]}  {' '.join(names)}".rstrip()


def add_arguments(parser) -> None:
    pass


def main(args) -> None:
    """Makes the files of all commands, for DVC; Snakemake does it by itself."""
    root = Path.cwd()
    refresh(root, Sources.read(root))


def path_of(command: str) -> Path:
    return FOLDER / f"{command}.txt"


def refresh(root: Path, sources: Sources) -> None:
    """Writes the files of commands that are not up to date, and removes those of commands that are gone."""
    for command in sources.commands:
        path, text = root / path_of(command), sources.listing(command)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            files.write_text(path, text)
    wanted = {path_of(command).name for command in sources.commands}
    for path in (root / FOLDER).iterdir():
        if path.name not in wanted and not path.name.startswith("."):  # what another process is writing
            path.unlink(missing_ok=True)


def modules_in(listing: str) -> list[str]:
    """The source files that a listing names."""
    return [line.split("  ")[1] for line in listing.splitlines() if not line.startswith("#")]


def _read_cache(path: Path) -> dict[str, dict]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content["modules"]) if content["format"] == FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _summary(source: bytes, path: Path, package: tuple[str, ...]) -> dict:
    """`package`: the parts of the module's path, from the package's top on."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise EngineError("cannot read source", file=path, line=getattr(error, "lineno", None),
                          remedy="mend it, or `git checkout` it") from error  # fmt: skip
    imports: dict[str, list[str]] = {}
    statements = []
    for node in _without_docstring(tree.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports |= _bindings(node, package)
        elif not _is_left_out_by_an_import(node):
            statements.append(asdict(_statement(node, imports, package)))
    names = {name for statement in statements for name in statement["names"]}
    return {
        "statements": statements,
        "imports": imports,
        "docstring": ast.get_docstring(tree) or "",
        "constants": _constants(tree),
        "command": {"add_arguments", "main"} <= names,
    }


def _constants(tree: ast.Module) -> dict[str, Any]:
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            try:
                value = ast.literal_eval(node.value)
            except ValueError:
                continue
            if isinstance(value, str) or isinstance(value, tuple | list) and all(isinstance(x, str) for x in value):
                found[node.targets[0].id] = value
    return found


def _statement(node: ast.stmt, imports: dict[str, list[str]], package: tuple[str, ...]) -> Statement:
    inside: dict[str, list[str]] = {}
    texts = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Import | ast.ImportFrom):
            inside |= _bindings(each, package)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str) and TABLE.fullmatch(each.value):
            texts.add(each.value)
    uses = set(_uses(node, frozenset()))
    digest = _digest(*_dump(node))
    return Statement(_names(node), digest, sorted(uses), inside, sorted(texts), _has_effect(node, imports))


def _uses(node: ast.AST, local: frozenset[str]) -> Iterator[str]:
    """Names that are read and are not local to a function, as `name` or `name.attribute`."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        for outside in _outside_of_body(node):
            yield from _uses(outside, local)
        inner = local | _bound_in(node)
        for part in node.body if isinstance(node.body, list) else [node.body]:
            yield from _uses(part, inner)
        return
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        yield from _uses(node.generators[0].iter, local)
        targets = (name for part in node.generators for name in ast.walk(part.target))
        local = local | {name.id for name in targets if isinstance(name, ast.Name)}
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if node.value.id not in local:
            yield f"{node.value.id}.{node.attr}"
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in local:
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _uses(child, local)


def _outside_of_body(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.AST]:
    """Decorators, defaults and annotations: they are read where the function stands."""
    body = node.body if isinstance(node.body, list) else [node.body]
    return [child for child in ast.iter_child_nodes(node) if child not in body]


def _bound_in(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """Parameters of a function, and names that its body binds; not those that it declares global, or imports."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    bound = {argument.arg for argument in every if argument is not None}
    free = set()
    pending = list(function.body) if isinstance(function.body, list) else [function.body]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
        elif isinstance(node, ast.Global):
            free |= set(node.names)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            pending += ast.iter_child_nodes(node)
    return bound - free


def _names(node: ast.stmt) -> list[str]:
    """What the statement defines or changes, in order."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    names = []
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            names.append(each.id)
        elif isinstance(each, ast.Subscript | ast.Attribute) and isinstance(each.ctx, ast.Store):
            base = each
            while isinstance(base, ast.Subscript | ast.Attribute):
                base = base.value
            names += [base.id] if isinstance(base, ast.Name) else []
        elif isinstance(each, ast.FunctionDef | ast.ClassDef):
            names.append(each.name)
    return list(dict.fromkeys(names))


def _has_effect(node: ast.stmt, imports: dict[str, list[str]]) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        # A decorator of ours may register what it decorates; those of libraries (dataclass, cache) do not.
        return not all(_of_library(decorator, imports) for decorator in node.decorator_list)
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return any(name in imports for name in _names(node))  # it changes what is another module's
    return not isinstance(node, ast.Pass)


def _of_library(decorator: ast.expr, imports: dict[str, list[str]]) -> bool:
    base = decorator
    while isinstance(base, ast.Call | ast.Attribute):
        base = base.func if isinstance(base, ast.Call) else base.value
    return isinstance(base, ast.Name) and imports.get(base.id, [PACKAGE])[0].partition(".")[0] != PACKAGE


def _is_left_out_by_an_import(node: ast.stmt) -> bool:
    """`if TYPE_CHECKING:` and `if __name__ == "__main__":`."""
    if not isinstance(node, ast.If):
        return False
    test = node.test.left if isinstance(node.test, ast.Compare) else node.test
    return isinstance(test, ast.Name) and test.id in ("TYPE_CHECKING", "__name__")


def _bindings(node: ast.Import | ast.ImportFrom, package: tuple[str, ...]) -> dict[str, list[str]]:
    """The names that an import binds, each with the module and the name in it that it stands for."""
    if isinstance(node, ast.Import):
        # `import a.b` binds `a`; by its whole path, so that `import a.c` beside it counts too.
        return {alias.asname or alias.name: [alias.name, ""] for alias in node.names}
    source = ".".join([*package[: -node.level], *([node.module] if node.module else [])]) if node.level else node.module
    return {alias.asname or alias.name: [source, alias.name] for alias in node.names}


def _bound_to(name: str, imports: dict[str, list[str]]) -> list[list[str]]:
    return [target for bound, target in imports.items() if bound == name or bound.startswith(f"{name}.")]


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    value = first.value if isinstance(first, ast.Expr) else None
    return body[1:] if isinstance(value, ast.Constant) and isinstance(value.value, str) else body


def _dump(node: object) -> Iterator[str]:
    """The syntax tree as words: no positions, no docstrings. Not ast.dump, which differs between versions of Python."""
    if isinstance(node, ast.AST):
        yield type(node).__name__
        for name, value in ast.iter_fields(node):
            if name in ("type_comment", "kind", "ctx") or value is None or value == []:
                continue
            if name == "values" and isinstance(node, ast.JoinedStr):
                value = [part for part in value if not _is_empty_text(part)]
            if name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                value = _without_docstring(value)
            yield f".{name}"
            yield from _dump(value)
        yield "."
    elif isinstance(node, list):
        yield "["
        for item in node:
            yield from _dump(item)
        yield "]"
    else:
        yield f"{type(node).__name__}:{node!r}"


def _is_empty_text(node: ast.AST) -> bool:
    """Python 3.12 puts one at the end of some format specifications."""
    return isinstance(node, ast.Constant) and node.value == ""


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


def _schema_digest(path: Path) -> str:
    """Of what a job reads of a schema: not its comments and descriptions."""
    try:
        content = tables.load(path, yaml.CSafeLoader)
        kept = [[column, {key: value for key, value in entry.items() if key != "description"}]
                for column, entry in content.items()]  # fmt: skip
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError) as error:
        raise EngineError("cannot read the schema of a table", file=path, remedy="mend it") from error
    return _digest(json.dumps(kept))
