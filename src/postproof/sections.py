"""Sections of params.yaml as jobs get them: JSON on the command line, a dataclass inside."""

from __future__ import annotations

import dataclasses
import json
from typing import TypeVar

from postproof.errors import ParamsError

T = TypeVar("T")


def parse(cls: type[T], text: str) -> T:
    """A section that a job was handed as JSON, as an instance of the dataclass `cls`.

    Raises ParamsError when it is not JSON or its keys are not those of `cls`.
    """
    try:
        return cls(**json.loads(text))
    except (TypeError, ValueError) as error:
        allowed = ", ".join(field.name for field in dataclasses.fields(cls))
        raise ParamsError(f"not a section for {cls.__name__}", value=text, allowed=f"JSON with {allowed}") from error
