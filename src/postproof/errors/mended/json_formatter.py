"""The formatter mended: the context in a field of its own, OpenTelemetry's names for an exception, and no lost line.

Names by the semantic conventions: https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from typing import Any

DEEPEST = 8  # a context that holds itself ends here


class JsonFormatter(logging.Formatter):
    """An entry that JSON has no form for is written as its `repr`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger_name": record.name,
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["exception.type"] = type(error).__qualname__
            line["exception.message"] = str(error)
            line["exception.stacktrace"] = self.formatException(record.exc_info)
        if hasattr(record, "context"):
            line["context"] = plain(record.context)
        return json.dumps(line, allow_nan=False)


def plain(value: Any, deepest: int = DEEPEST) -> Any:
    """The value in what JSON has; what it has no form for, or lies deeper, as its `repr`."""
    if isinstance(value, Mapping) and deepest:
        return {str(key): plain(entry, deepest - 1) for key, entry in value.items()}
    if isinstance(value, (list, tuple)) and deepest:
        return [plain(entry, deepest - 1) for entry in value]
    if value is None or isinstance(value, (str, bool, int)) or isinstance(value, float) and math.isfinite(value):
        return value
    return repr(value)
