"""What an error of the described hierarchy carries from where it is made to where it is caught; and mended.

Each kind is made with a message, a context and, where it takes one, the error that caused it; raised while that one is
handled, or after. Then it is looked at: as an object, as Python prints it, and as a copy, which is made in the way in
which an error goes to another process (`__reduce_ex__`). The second table makes errors of validation of fields and
values that are falsy.
"""

from __future__ import annotations

import copy
import inspect
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from postproof.core import tables
from postproof.errors.as_described import exceptions as described
from postproof.errors.mended import exceptions as mended

VARIANTS: dict[str, ModuleType] = {"described": described, "mended": mended}
KINDS = ("ApplicationError", "DatabaseError", "ValidationError", "AuthenticationError", "ExternalServiceError")
MESSAGE, CAUSE = "it went wrong", "the first thing that went wrong"
CONTEXT = {"query": "SELECT 1", "user": 7}
FIELDS, VALUES = ("email", ""), ("x", "", 0, None)


def add_arguments(parser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per variant, kind and way of raising")
    parser.add_argument("--out-fields", type=Path, required=True, help="tidy CSV, a row per variant, field and value")


def main(args) -> None:
    tables.write(args.out, carried(), "errors/hierarchy")
    tables.write(args.out_fields, fields(), "errors/hierarchy_fields")


def carried() -> pd.DataFrame:
    rows = []
    for variant, errors in VARIANTS.items():
        for kind in KINDS:
            for raised in ("while_handling", "after"):
                caught, original, given = raise_and_catch(getattr(errors, kind), raised)
                rows.append(
                    {"variant": variant, "error": kind, "raised": raised}
                    | seen(caught, original, given)
                    | {
                        "second_argument": second_argument(getattr(errors, kind)),
                        "caught_as_base": int(isinstance(caught, errors.ApplicationError)),
                        "caught_as_sibling": sum(
                            isinstance(caught, getattr(errors, other)) for other in KINDS[1:] if other != kind
                        ),
                    }
                )
    return pd.DataFrame(rows)


def raise_and_catch(kind: type[Exception], raised: str) -> tuple[Exception, Exception, dict[str, Any]]:
    """The error as it is caught, the one that caused it, and the context as the caller has it afterwards."""
    given = dict(CONTEXT)
    takes = inspect.signature(kind.__init__).parameters
    try:
        raise ConnectionError(CAUSE)
    except ConnectionError as error:
        original = error
        named = next((name for name in ("original_exception", "cause") if name in takes), None)
        more = {name: "given" for name in ("field", "service_name") if name in takes}
        made = kind(MESSAGE, context=given, **more | ({named: original} if named else {}))
        if raised == "while_handling":
            try:
                raise made
            except Exception as caught:
                return caught, original, given
    try:
        raise made
    except Exception as caught:
        return caught, original, given


def seen(caught: Exception, original: Exception, given: dict[str, Any]) -> dict[str, int]:
    printed = "".join(traceback.format_exception(caught))
    after = copy.deepcopy(caught)
    return {
        "has_message": int(getattr(caught, "message", None) == MESSAGE),
        "text_is_message": int(str(caught) == MESSAGE),
        "context_kept": int(CONTEXT.items() <= caught.context.items()),
        "takes_cause": int(original_of(caught) is original),
        "python_knows_cause": int(caught.__cause__ is original),
        "printed_with_cause": int(CAUSE in printed),
        "copied_whole": int(type(after) is type(caught) and str(after) == str(caught)
                             and after.context == caught.context),
        "copied_with_cause": int(str(original_of(after)) == CAUSE),
        "callers_context_kept": int(given == CONTEXT),
    }  # fmt: skip


def original_of(error: BaseException) -> BaseException | None:
    """The error that this one says it comes from: Python's cause, else the described attribute."""
    return error.__cause__ or getattr(error, "original_exception", None)


def second_argument(kind: type[Exception]) -> str:
    """What becomes of an original exception that is handed over as the second argument, without a name."""
    original = ConnectionError(CAUSE)
    try:
        error = kind(MESSAGE, original)
    except TypeError:
        return "refused"
    names = ("original_exception", "field", "service_name")
    return next(name for name in names if getattr(error, name, None) is original)


def fields() -> pd.DataFrame:
    rows = []
    for variant, errors in VARIANTS.items():
        for field in FIELDS:
            for value in VALUES:
                error = errors.ValidationError(MESSAGE, field=field, value=value)
                rows.append(
                    {
                        "variant": variant,
                        "field": repr(field),
                        "value": repr(value),
                        "field_in_context": int("field" in error.context and error.context["field"] == field),
                        "value_in_context": int("invalid_value" in error.context),
                        "on_the_error": int(error.field == field and error.value == value),
                    }
                )
    return pd.DataFrame(rows)
