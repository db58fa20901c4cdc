"""How far a failure travels in a small service, what of it is still known at the end, and what handling it takes.

The service registers users in five layers: answer, register, save, insert, and the database's driver. It is written
four times, with one handling each (postproof/errors/service). A trace of the interpreter tells which functions an
exception passes through; the log, what an operator is told; the syntax tree, how much of the code is about errors.
"""

from __future__ import annotations

import ast
import inspect
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pandas as pd

from postproof.core import settings, tables
from postproof.errors.capture import logged
from postproof.errors.service import central, local_none, local_rethrow, mixed
from postproof.errors.service.world import World
from postproof.errors.settings import Propagation

HANDLINGS: dict[str, ModuleType] = {
    "local_none": local_none,
    "local_rethrow": local_rethrow,
    "central": central,
    "mixed": mixed,
}
REQUEST_ID, EMAIL = "req-123abc", "ada@example.com"
# Failure: body of the request, the status that is right, and what is known where the failure passes.
FAILURES: dict[str, tuple[dict[str, Any], int, tuple[str, ...]]] = {
    "none": ({"email": EMAIL, "name": "Ada"}, 201, ()),
    "invalid_email": ({"email": "ada.example.com", "name": "Ada"}, 400, (REQUEST_ID, "ada.example.com")),
    "database_down": ({"email": EMAIL, "name": "Ada"}, 500, (REQUEST_ID, EMAIL, central.INSERT)),
    "busy_once": ({"email": EMAIL, "name": "Ada"}, 201, (REQUEST_ID, EMAIL, central.INSERT)),
    "bug": ({"email": EMAIL, "name": None}, 500, (REQUEST_ID, EMAIL)),
}
ORIGINALS = {"invalid_email": "ValidationError", "database_down": "DriverError", "busy_once": "DriverBusy",
             "bug": "AttributeError"}  # fmt: skip


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section errors.error_propagation, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per handling and failure")
    parser.add_argument("--out-code", type=Path, required=True, help="tidy CSV, a row per handling")


def main(args) -> None:
    section = settings.parse(Propagation, args.settings)
    table = travelled(section)
    tables.write(args.out, table, "errors/error_propagation")
    tables.write(args.out_code, code(table), "errors/error_propagation_code")


def travelled(settings: Propagation) -> pd.DataFrame:
    rows = []
    for handling, service in HANDLINGS.items():
        for failure, (body, status, known) in FAILURES.items():
            world, passed = World(failure), Passed()
            with logged() as records, passed:
                got, answer = service.answer(REQUEST_ID, dict(body), world, settings.retries)
            told = [said(record) for record in records]
            rows.append(
                {
                    "handling": handling,
                    "failure": failure,
                    "expected_status": status,
                    "status": got,
                    "members": " ".join(sorted(answer)),
                    "frames": passed.frames_of_first(),
                    "errors_made": len(passed.errors),
                    "records": len(records),
                    "tracebacks": sum(bool(record.exc_info) for record in records),
                    "original_logged": int(any(ORIGINALS.get(failure, " ") in one for one in told)),
                    "context_logged": sum(any(value in one for one in told) for value in known),
                    "context_in_one_record": max((sum(value in one for value in known) for one in told), default=0),
                    "context_known": len(known),
                }
            )
    return pd.DataFrame(rows)


def said(record: logging.LogRecord) -> str:
    """All that a line of the log would hold. Names of errors are in the traceback, of causes too."""
    trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
    return f"{record.getMessage()} {json.dumps(getattr(record, 'context', {}))} {trace}"


class Passed:
    """Meanwhile, which functions of the service each exception passes through, from where it is raised to the one that
    catches it. Raised again, it goes on.
    """

    def __init__(self):
        self.errors: list[BaseException] = []  # kept, so that no other gets the identity of one
        self.functions: list[set[str]] = []

    def __enter__(self) -> Passed:
        self.before = sys.gettrace()
        sys.settrace(self.called)
        return self

    def __exit__(self, *error) -> None:
        sys.settrace(self.before)

    def called(self, frame: FrameType, event: str, argument: Any) -> Callable | None:
        return self.within if "errors.service" in frame.f_globals.get("__name__", "") else None

    def within(self, frame: FrameType, event: str, argument: Any) -> Callable:
        if event == "exception":
            error = argument[1]
            known = next((i for i, other in enumerate(self.errors) if other is error), None)
            if known is None:
                self.errors.append(error)
                self.functions.append(set())
                known = len(self.errors) - 1
            self.functions[known].add(frame.f_code.co_name)
        return self.within

    def frames_of_first(self) -> int:
        return len(self.functions[0]) if self.functions else 0


def code(travelled: pd.DataFrame) -> pd.DataFrame:
    """How much of each service is about errors, and in how many forms it tells clients of them."""
    failed = travelled[travelled["status"] >= 400]
    forms = failed.groupby("handling")["members"].nunique()
    rows = []
    for handling, service in HANDLINGS.items():
        functions = [node for node in ast.parse(inspect.getsource(service)).body if isinstance(node, ast.FunctionDef)]
        nodes = [node for function in functions for node in ast.walk(function)]
        rows.append(
            {
                "handling": handling,
                "layers": len(functions),
                "layers_with_handling": sum(about_errors(function) > 0 for function in functions),
                "except_clauses": sum(isinstance(node, ast.ExceptHandler) for node in nodes),
                "error_lines": sum(map(about_errors, functions)),
                "code_lines": sum(map(lines, functions)),
                "forms": forms[handling],
            }
        )
    return pd.DataFrame(rows)


def lines(node: ast.AST) -> int:
    """As Python itself would write the code: no comments, no blank lines, one line a statement."""
    return len([line for line in ast.unparse(node).splitlines() if line.strip()])


def about_errors(node: ast.AST) -> int:
    """Lines of `try`, of `except` with what stands in it, and of an `if` that looks for a failure of what was called.

    What a layer itself finds wrong, and raises, is its business and not counted.
    """
    if isinstance(node, ast.ExceptHandler) or isinstance(node, ast.If) and looks_for_failure(node.test):
        return lines(node)
    inside = sum(map(about_errors, ast.iter_child_nodes(node)))
    return inside + 1 if isinstance(node, ast.Try) else inside


def looks_for_failure(test: ast.expr) -> bool:
    """`x is None`, or `not f(x)`."""
    return (isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Is)) or (
        isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and isinstance(test.operand, ast.Call)
    )
