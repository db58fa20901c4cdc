"""Whether the described tests are collected, pass, and notice when the code that they test is broken.

pytest runs them in a folder of their own, in a process of their own, beside modules by the post's names: as posted,
where nothing imports the name `Result`; with that import; and with the test of a handler that the post describes in a
comment. Then the code is broken in one place at a time (a mutant), by rules that know nothing of the tests, and the
tests are run again. What is noticed is a test that fails where it passed.
"""

from __future__ import annotations

import ast
import copy
import inspect
import os
import subprocess
import sys
import tempfile
import types
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd
import pytest

from postproof.core import settings, tables
from postproof.core.errors import PostproofError
from postproof.errors.as_described import app, checks, client_checks, exceptions, exceptions_with_message, result
from postproof.errors.capture import logged
from postproof.errors.settings import Handlers

LIMIT_SECONDS = 120
CONFTEST = """
import pytest
from app import build
import {errors} as errors

@pytest.fixture
def client():
    return build(errors, {user_id}).test_client()
"""


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section errors.handlers, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per version of the tests")
    parser.add_argument("--out-mutants", type=Path, required=True, help="tidy CSV, a row per mutant")


def main(args) -> None:
    section = settings.parse(Handlers, args.settings)
    tables.write(args.out, runs(section), "errors/described_tests")
    with logged():  # what mutants log is part of no job's log
        mutants_tried = tried(section)
    tables.write(args.out_mutants, mutants_tried, "errors/described_tests_mutants")


# --- By pytest -------------------------------------------------------------------------------------------------------


def runs(settings: Handlers) -> pd.DataFrame:
    posted, whole, client = ast.unparse(without_result(tree_of(checks))), source(checks), source(client_checks)
    versions = {
        "as_posted": ({"test_checks.py": local(posted)}, "exceptions"),
        "result_imported": ({"test_checks.py": local(whole)}, "exceptions"),
        "handler": ({"test_client.py": client}, "exceptions"),
        "handler_with_message": ({"test_client.py": client}, "exceptions_with_message"),
    }
    return pd.DataFrame(
        [{"version": version} | run(files, errors, settings) for version, (files, errors) in versions.items()]
    )


def run(files: dict[str, str], errors: str, settings: Handlers) -> dict[str, int]:
    """Tests that were found, passed and failed, and files that could not be collected.

    Raises PostproofError when pytest does not run at all.
    """
    beside = {
        "exceptions": exceptions,
        "exceptions_with_message": exceptions_with_message,
        "result": result,
        "app": app,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        for name, module in beside.items():
            Path(folder, f"{name}.py").write_text(local(source(module)), encoding="utf-8")
        if "test_client.py" in files:
            conftest = CONFTEST.format(errors=errors, user_id=settings.user_id)
            Path(folder, "conftest.py").write_text(conftest, encoding="utf-8")
        return counted(Path(folder))


def counted(folder: Path) -> dict[str, int]:
    report = folder / "report.xml"
    # Nothing of the caller's: neither options and plugins of pytest, nor this checkout's settings of it.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    found_first = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": found_first, "PYTHONDONTWRITEBYTECODE": "1"}
    options = ["-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", "-c", os.devnull]
    command = [sys.executable, "-m", "pytest", *options, f"--rootdir={folder}", f"--junitxml={report}", str(folder)]
    remedy = "set the environment up again: `make setup`"
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PostproofError("pytest did not run", limit_seconds=LIMIT_SECONDS, remedy=remedy) from error
    try:
        suite = ElementTree.parse(report).getroot().find("testsuite")
    except (OSError, ElementTree.ParseError) as error:
        said = (done.stdout + done.stderr).strip()[-500:]
        raise PostproofError("pytest did not run", it_said=said, remedy=remedy) from error
    total, failures, errors = (int(suite.get(key)) for key in ("tests", "failures", "errors"))
    return {"tests": total - errors, "passed": total - failures - errors, "failed": failures, "not_collected": errors}


def source(module: ModuleType) -> str:
    return inspect.getsource(module)


def tree_of(module: ModuleType) -> ast.Module:
    return ast.parse(source(module))


def local(text: str) -> str:
    """The source with modules by the post's names, as files that stand side by side."""
    package = exceptions.__name__.rpartition(".")[0]
    return text.replace(f"from {package} import exceptions as", "import exceptions as").replace(f"{package}.", "")


def without_result(tree: ast.Module) -> ast.Module:
    """The tests with the imports that the post has: of `Success` and `Failure` only."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            node.names = [alias for alias in node.names if alias.name != "Result"]
    return tree


# --- Mutants ---------------------------------------------------------------------------------------------------------


class Mutant(NamedTuple):
    rule: str
    tree: ast.Module


def tried(settings: Handlers) -> pd.DataFrame:
    """A row per mutant. Raises PostproofError when a test fails on the code as it is."""
    whole = {"exceptions": tree_of(exceptions), "result": tree_of(result), "app": tree_of(app)}
    rows = []
    if failing(whole, settings):
        raise PostproofError("a test fails on code that is not broken", remedy="mend the test or the code")
    for name, tree in whole.items():
        for number, mutant in enumerate(mutants(tree), start=1):
            noticed = failing(whole | {name: mutant.tree}, settings)
            rows.append(
                {
                    "module": name,
                    "mutant": number,
                    "rule": mutant.rule,
                    "noticed": int(bool(noticed - {CLIENT})),
                    "noticed_by_handler": int(CLIENT in noticed),
                }
            )
    return pd.DataFrame(rows)


CLIENT = "test_a_missing_address_is_a_validation_error"


def failing(trees: dict[str, ast.Module], settings: Handlers) -> set[str]:
    """The tests that fail, with modules made of these trees. All of them, when a module cannot be imported."""
    names = {name for name in (*vars(checks), *vars(client_checks)) if name.startswith("test_")}
    try:
        of = {name: executed(tree, name) for name, tree in trees.items()}
        tests = executed(imports_dropped(tree_of(checks)), "checks", pytest=pytest, **vars_of(of["exceptions"]),
                         **vars_of(of["result"]))  # fmt: skip
    except Exception:
        return names
    calls: dict[str, Callable[[], None]] = {name: vars(tests)[name] for name in names - {CLIENT}}
    calls[CLIENT] = lambda: vars(client_checks)[CLIENT](
        of["app"].build(with_message(of["exceptions"]), settings.user_id).test_client()
    )
    return {name for name, call in calls.items() if fails(call)}


def fails(test: Callable[[], None]) -> bool:
    try:
        test()
    except (Exception, pytest.fail.Exception):
        return True
    return False


def with_message(errors: ModuleType) -> ModuleType:
    """The hierarchy with the `message` that the described handlers read: without it the test fails on any code."""
    errors.ApplicationError.message = property(str)
    return errors


def executed(tree: ast.Module, name: str, **given: Any) -> ModuleType:
    """A module of the tree; it is our own code, changed in one place."""
    module = types.ModuleType(name)
    vars(module).update(given)
    exec(compile(ast.fix_missing_locations(tree), f"<{name}>", "exec"), vars(module))
    return module


def imports_dropped(tree: ast.Module) -> ast.Module:
    tree.body = [node for node in tree.body if not isinstance(node, (ast.Import, ast.ImportFrom))]
    return tree


def vars_of(module: ModuleType) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


def mutants(tree: ast.Module) -> Iterator[Mutant]:
    """The module broken in one place, in order of the places."""
    for place, node in enumerate(in_order(tree)):
        for rule, broken in RULES.items():
            if broken(copy.deepcopy(node)) is not None:
                yield Mutant(rule, Break(place, broken).visit(copy.deepcopy(tree)))


def in_order(node: ast.AST) -> Iterator[ast.AST]:
    """Every node, a parent before its children, as `Break` meets them."""
    yield node
    for child in ast.iter_child_nodes(node):
        yield from in_order(child)


class Break(ast.NodeTransformer):
    """Puts what a rule makes of the node at a place in its stead."""

    def __init__(self, place: int, broken: Callable[[ast.AST], ast.AST | None]):
        self.left, self.broken = place, broken

    def visit(self, node: ast.AST) -> ast.AST:
        self.left -= 1
        return self.broken(node) if self.left == -1 else self.generic_visit(node)


def answer_turned(node: ast.AST) -> ast.AST | None:
    """`return True` returns False, and the other way round."""
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool):
        return ast.Return(ast.Constant(not node.value.value))
    return None


def answer_lost(node: ast.AST) -> ast.AST | None:
    """Another `return` returns None."""
    if isinstance(node, ast.Return) and not isinstance(node.value, ast.Constant):
        return ast.Return(ast.Constant(None))
    return None


def raise_lost(node: ast.AST) -> ast.AST | None:
    return ast.Pass() if isinstance(node, ast.Raise) else None


def condition_turned(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.If):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return node
    return None


def assignment_lost(node: ast.AST) -> ast.AST | None:
    """Of an attribute or an entry."""
    kept = not isinstance(node, ast.Assign) or isinstance(node.targets[0], ast.Name)
    return None if kept else ast.Pass()


def base_changed(node: ast.AST) -> ast.AST | None:
    """An error of the hierarchy is none of it."""
    if isinstance(node, ast.ClassDef) and [ast.unparse(base) for base in node.bases] == ["ApplicationError"]:
        node.bases = [ast.Name("Exception", ast.Load())]
        return node
    return None


def arguments_lost(node: ast.AST) -> ast.AST | None:
    """The parent's constructor gets the message only."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
        if len(node.args) + len(node.keywords) > 1:
            node.args, node.keywords = node.args[:1], []
            return node
    return None


def message_lost(node: ast.AST) -> ast.AST | None:
    """The parent's constructor gets no message."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
        node.args[0] = ast.Constant("")
        return node
    return None


def status_changed(node: ast.AST) -> ast.AST | None:
    """An HTTP status is the next one."""
    is_status = isinstance(node, ast.Constant) and type(node.value) is int and 100 <= node.value < 600
    return ast.Constant(node.value + 1) if is_status else None


RULES: dict[str, Callable[[ast.AST], ast.AST | None]] = {
    "answer_turned": answer_turned,
    "answer_lost": answer_lost,
    "raise_lost": raise_lost,
    "condition_turned": condition_turned,
    "assignment_lost": assignment_lost,
    "base_changed": base_changed,
    "arguments_lost": arguments_lost,
    "message_lost": message_lost,
    "status_changed": status_changed,
}
