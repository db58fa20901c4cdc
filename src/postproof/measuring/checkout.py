"""Files of the checkout that measurements read: no engine hands a measurement what it needs, so it looks here.

This is the one place that goes up from the package, or reads params.yaml, without being told to. Jobs never do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from postproof.core import strict_yaml
from postproof.core.errors import ParamsError

PARAMS = "params.yaml"


def root() -> Path:
    """The checkout that this package is part of; of an installed package, the working directory."""
    checkout = Path(__file__).parents[3]
    return checkout if (checkout / PARAMS).is_file() else Path.cwd()


def params(key: str) -> Any:
    """The value at a dotted key of params.yaml: a text, a number, a list or a mapping.

    Raises ParamsError when the file cannot be read, or has no such key.
    """
    path = root() / PARAMS
    value: Any = strict_yaml.load(path, ParamsError)
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ParamsError("no such key", file=path, key=key, value=part)
        value = value[part]
    return value
