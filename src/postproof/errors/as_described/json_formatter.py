"""The formatter that the post describes: one JSON object a record, the context's entries beside the record's own."""

import json
import logging


class JsonFormatter(logging.Formatter):
    def format(self, record):
        line = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger_name": record.name,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if hasattr(record, "context"):
            line.update(record.context)
        return json.dumps(line)
