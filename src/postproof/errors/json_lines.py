"""What the described formatter makes of a record, case by case, beside structlog's JSON and a mended one.

The mended formatter gets errors of the mended hierarchy, which hand their cause to Python; the others the described.

Each case is logged as its library has it: the described and the mended formatter take the context by `extra`, structlog
takes its entries as arguments. The line is read by a parser that takes what RFC 8259 has and nothing else.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import structlog

from postproof.core import tables
from postproof.errors.as_described import exceptions as described
from postproof.errors.as_described.json_formatter import JsonFormatter
from postproof.errors.mended import exceptions as mended
from postproof.errors.mended.json_formatter import JsonFormatter as MendedFormatter

CAUSE = "DB connection timeout"
TYPE, MESSAGE, STACKTRACE = "exception.type", "exception.message", "exception.stacktrace"
FORGED = "forged"


class Logged(NamedTuple):
    """What is logged in a case."""

    error: BaseException | None = None
    context: Any = None
    message: str = "Database operation failed for user 42"


Wrap = Callable[[Exception], Exception]


def context() -> dict[str, Any]:
    return {"query_details": "UPDATE users SET ...", "user_id": 42, "request_id": "req-123abc"}


def by_attribute(cause: Exception) -> Exception:
    return described.DatabaseError(original_exception=cause, context=context())


def by_python(cause: Exception) -> Exception:
    return mended.DatabaseError(cause=cause, context=context())


def raised(chain: str, wrap: Wrap) -> Exception:
    """A database error that was caught. `chain`: how it came from another, of which Python knows or not."""
    try:
        try:
            raise ConnectionError(CAUSE)
        except ConnectionError as error:
            made = wrap(error)
            if chain == "never_raised":
                return made
            if chain == "raised_while_handling":
                raise made  # noqa: B904  it is what the case is about
            if chain == "raised_from":
                raise made from error
        raise made  # "raised_after"
    except (described.DatabaseError, mended.DatabaseError) as caught:
        return caught


def endless() -> dict[str, Any]:
    holds: dict[str, Any] = context()
    holds["itself"] = holds
    return holds


CHAINS = ("never_raised", "raised_after", "raised_while_handling", "raised_from")
CASES: dict[str, Callable[[Wrap], Logged]] = {
    "no_error": lambda wrap: Logged(context=context()),
    # The post's own example: the error is made, handed to the logger, and not raised.
    **{chain: lambda wrap, chain=chain: Logged(raised(chain, wrap), context()) for chain in CHAINS},
    "context_named_as_the_record": lambda wrap: Logged(
        raised("raised_from", wrap), context() | {"level": FORGED, "message": FORGED, "timestamp": FORGED}
    ),
    "context_with_a_time": lambda wrap: Logged(
        raised("raised_from", wrap), context() | {"at": datetime(2026, 1, 1, tzinfo=UTC)}
    ),
    "context_with_nan": lambda wrap: Logged(raised("raised_from", wrap), context() | {"share": float("nan")}),
    "context_holds_itself": lambda wrap: Logged(raised("raised_from", wrap), endless()),
    "lines_in_the_message": lambda wrap: Logged(
        None, context(), 'Failed\n{"level": "CRITICAL", "message": "forged"}'
    ),
}  # fmt: skip


def add_arguments(parser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per formatter and case")


def main(args) -> None:
    tables.write(args.out, lines(), "errors/json_lines")


def lines() -> pd.DataFrame:
    rows = []
    for formatter, (write, wrap) in WRITERS.items():
        for case, make in CASES.items():
            logged = make(wrap)
            rows.append({"formatter": formatter, "case": case} | read(write(logged), logged))
    return pd.DataFrame(rows)


def by_logging(logged: Logged, formatter: logging.Formatter) -> str:
    """What logging writes; where its formatter fails it writes nothing, and complains on standard error."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.handleError = lambda record: None  # a complaint is no line of the log
    logger = logging.Logger("example")
    logger.addHandler(handler)
    logger.error(logged.message, exc_info=logged.error, extra={"context": logged.context})
    return stream.getvalue()


def by_structlog(logged: Logged) -> str:
    """What structlog's own processors write; "" where they raise, which they do in the middle of the program."""
    stream = io.StringIO()
    processors = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(),
    ]
    logger = structlog.wrap_logger(structlog.PrintLogger(stream), processors=processors, context_class=dict)
    try:
        logger.error(logged.message, exc_info=logged.error, **logged.context)
    except (TypeError, ValueError):
        return ""
    return stream.getvalue()


# How a line is written, and how the error that it is of holds its cause.
WRITERS: dict[str, tuple[Callable[[Logged], str], Wrap]] = {
    "described": (lambda logged: by_logging(logged, JsonFormatter()), by_attribute),
    "structlog": (by_structlog, by_attribute),
    "mended": (lambda logged: by_logging(logged, MendedFormatter()), by_python),
}


def read(text: str, logged: Logged) -> dict[str, Any]:
    """What a tool finds that reads the log line by line."""
    written = text.splitlines()
    found = [parsed(line) for line in written]
    line = found[0] if len(found) == 1 and found[0] is not None else {}
    everything = json.dumps(line)
    entries = line.get("context", line)
    return {
        "lines": len(written),
        "is_json": int(len(found) == 1 and found[0] is not None),
        "level_kept": int(str(line.get("level")).lower() == "error"),
        "message_kept": int(line.get("message") == logged.message),
        "time_kept": int(line.get("timestamp", FORGED) != FORGED),
        "traceback": int('File \\"' in everything),
        "names_error": int("DatabaseError" in everything),
        "names_cause": int(CAUSE in everything),
        "context_kept": int(bool(line) and all(entries.get(key) == value for key, value in context().items())),
        "forged_kept": sum(value == FORGED for value in entries.values()),
        "opentelemetry_fields": sum(name in line for name in (TYPE, MESSAGE, STACKTRACE)),
    }


def parsed(line: str) -> dict[str, Any] | None:
    """The object in the line; None when it is none, or not JSON: NaN is not."""

    def refuse(constant: str):
        raise ValueError(constant)

    try:
        value = json.loads(line, parse_constant=refuse)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
