"""Sections of params.yaml as jobs get them: JSON on the command line, a dataclass inside."""

from __future__ import annotations

import dataclasses
import json
from typing import TypeVar

from postproof.core.errors import ParamsError

T = TypeVar("T")


def parse(cls: type[T], *texts: str) -> T:
    """A section that a job was handed as JSON, or several that make up one, as an instance of the dataclass `cls`.

    Raises ParamsError when one is not JSON or their keys together are not those of `cls`, each once.
    """
    try:
        pairs = [pair for text in texts for pair in json.loads(text).items()]
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key stands twice")
        return cls(**dict(pairs))
    except (AttributeError, TypeError, ValueError) as error:
        allowed = ", ".join(field.name for field in dataclasses.fields(cls))
        raise ParamsError(
            f"not a section for {cls.__name__}", value=" ".join(texts), allowed=f"JSON with {allowed}"
        ) from error
