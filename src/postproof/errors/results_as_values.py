"""What becomes of failures that are values: by the described Result, by the library `returns`, by exceptions.

Each way gets the same function, which gives a value or fails, and is used as callers do: rightly, and in the ways in
which they forget to look. `stops`: the program does not go on as if nothing had happened. `error_kept`: what stops it,
or what it can look at, still has the original error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from returns import result as library
from returns.primitives.exceptions import UnwrapFailedError

from postproof.core import settings, tables
from postproof.errors.as_described import exceptions as described
from postproof.errors.as_described import exceptions_with_message as with_message
from postproof.errors.as_described import registration
from postproof.errors.as_described import result as own
from postproof.errors.settings import Results

VALUE = "ada@example.com"


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section errors.results_as_values, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per way and use")
    parser.add_argument("--out-example", type=Path, required=True, help="tidy CSV, a row per hierarchy and input")


def main(args) -> None:
    tables.write(args.out, uses(), "errors/results_as_values")
    tables.write(args.out_example, example(settings.parse(Results, args.settings)), "errors/results_example")


def uses() -> pd.DataFrame:
    rows = [
        {"way": way, "use": use} | outcome(call)
        for way, calls in {"described": DESCRIBED, "returns": RETURNS, "exception": EXCEPTION}.items()
        for use, call in calls.items()
    ]
    return pd.DataFrame(rows)


def failing() -> described.ValidationError:
    return described.ValidationError("Invalid email format", field="email")


def raises() -> str:
    raise failing()


def has_bug() -> str:
    return {}["key"]


def caught() -> str | Exception:
    try:
        return raises()
    except described.ApplicationError as error:
        return error


@library.safe
def safe_bug() -> str:
    return has_bug()


@library.safe(exceptions=(described.ApplicationError,))
def narrow_bug() -> str:
    return has_bug()


def matched(result: Any, success: type, failure: type) -> Any:
    """The value or the error, by structural pattern matching."""
    match result:
        case success(value):
            return value
        case failure(error):
            return error


# Uses, each of a success or a failure; a use that a way has not is left out.
DESCRIBED: dict[str, Callable[[], Any]] = {
    "value_of_success": lambda: own.Success(VALUE).get_value(),
    "error_of_failure": lambda: own.Failure(failing()).get_error(),
    "value_of_failure": lambda: own.Failure(failing()).get_value(),
    "error_of_success": lambda: own.Success(VALUE).get_error(),
    "dropped_failure": lambda: own.Failure(failing()) and None,
    "failure_as_condition": lambda: bool(own.Failure(failing())),
    "equal_successes": lambda: own.Success(VALUE) == own.Success(VALUE),
    "pattern": lambda: matched(own.Success(VALUE), own.Success, own.Failure),
    "bug_inside": has_bug,
}
RETURNS: dict[str, Callable[[], Any]] = {
    "value_of_success": lambda: library.Success(VALUE).unwrap(),
    "error_of_failure": lambda: library.Failure(failing()).failure(),
    "value_of_failure": lambda: library.Failure(failing()).unwrap(),
    "error_of_success": lambda: library.Success(VALUE).failure(),
    "dropped_failure": lambda: library.Failure(failing()) and None,
    "failure_as_condition": lambda: bool(library.Failure(failing())),
    "equal_successes": lambda: library.Success(VALUE) == library.Success(VALUE),
    "pattern": lambda: matched(library.Success(VALUE), library.Success, library.Failure),
    "bug_inside": lambda: safe_bug() and None,
    "bug_inside_narrow": lambda: narrow_bug() and None,
}
EXCEPTION: dict[str, Callable[[], Any]] = {
    "error_of_failure": caught,
    "dropped_failure": lambda: raises() and None,
    "bug_inside": has_bug,
}


def outcome(call: Callable[[], Any]) -> dict[str, Any]:
    try:
        value = call()
    except Exception as error:
        return {"stops": 1, "raises": type(error).__name__, "error_kept": int(holds_error(error)), "gives": None}
    kept = isinstance(value, described.ValidationError)
    return {"stops": 0, "raises": None, "error_kept": int(kept), "gives": VALUES.get(repr(value), type(value).__name__)}


VALUES = {repr(VALUE): "the value", "True": "true", "False": "false", "None": "nothing"}


def holds_error(error: BaseException) -> bool:
    """Whether the validation error, or the bug itself, is what was raised or can be reached from it."""
    if isinstance(error, UnwrapFailedError):
        return isinstance(error.halted_container, library.Failure)
    return isinstance(error, (described.ValidationError, KeyError)) or isinstance(
        error.__cause__ or error.__context__, described.ValidationError
    )


EXAMPLES = {"invalid": {"name": "Test"}, "valid": {"name": "Test", "email": "test@example.com"}}


def example(settings: Results) -> pd.DataFrame:
    """The post's caller, on both of its inputs, with errors as described and with ones that have a `message`."""
    rows = []
    for hierarchy, errors in {"described": described, "with_message": with_message}.items():
        for given, data in {
            "invalid": {"name": "Test"},
            "valid": {"name": "Test", "email": "test@example.com"},
        }.items():
            try:
                answer = registration.process_registration(data, errors, settings.user_id)
                row = {"answers": 1, "raises": None, "status": answer["status"], "user_id": answer.get("user_id")}
            except AttributeError as error:
                row = {"answers": 0, "raises": type(error).__name__, "status": None, "user_id": None}
            rows.append({"hierarchy": hierarchy, "given": given} | row)
    return pd.DataFrame(rows)
