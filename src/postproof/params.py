"""params.yaml, checked as a whole before the DAG is built.

Jobs get sections of it (sections.py) and do not import this module: a new post's checks retrain nothing.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from postproof.attention import relations as attention
from postproof.errors import ParamsError
from postproof.llama2 import relations as llama2
from postproof.mixtral import relations as mixtral
from postproof.strict_yaml import StrictLoader

RELATIONS = {"mixtral": mixtral.relations, "llama2": llama2.relations, "attention": attention.relations}


def load(path: Path | str) -> Any:
    """The mapping that a YAML file holds.

    Raises ParamsError when it is missing, not YAML, no mapping, or a key stands twice.
    """
    remedy = "mend the file, or `git checkout` it"
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=StrictLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParamsError("cannot read YAML", file=path, remedy=remedy) from error
    if not isinstance(content, dict):
        raise ParamsError("not an object", file=path, value=_shown(content), allowed="keys with values", remedy=remedy)
    return content


def validate(params: Any, file: str, schema_file: Path | str) -> None:
    """Checks types, ranges and unknown keys by the schema, then the relations between keys.

    Raises ParamsError with file, key, value and what is allowed, for the first thing that is wrong.
    """
    import jsonschema

    schema = _closed(load(schema_file))
    # JSON Schema takes 6.0 for an integer, and NaN for a number in any range.
    types = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: (
                isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            ),
        }
    )
    validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=types)
    errors = validator(schema).iter_errors(params)
    error = jsonschema.exceptions.best_match(errors, key=lambda error: -len(error.absolute_path))
    if error is not None:
        raise _explain(error, file)
    _check_device(params, file)
    _check_text(params, "mixtral.corpus.source", file, fetched=mixtral.FETCHED_CORPORA)
    _check_text(params, "llama2.held_texts.page", file)
    for post, relations in RELATIONS.items():
        for holds, key, value, allowed in relations(params[post]):
            if not holds:
                raise ParamsError(
                    "values do not fit together", file=file, key=f"{post}.{key}", value=value, allowed=allowed,
                    remedy="change one of the two",
                )  # fmt: skip


def _check_text(params: Mapping, key: str, file: str, fetched: tuple[str, ...] = ()) -> None:
    path = look_up(params, key)
    if path not in fetched and not Path(path).is_file():
        allowed = ", ".join([*fetched, "the path of a UTF-8 text file"])
        raise ParamsError("no such file", file=file, key=key, value=path, allowed=allowed)


def look_up(params: Mapping, key: str) -> Any:
    """The value at a dotted key, e.g. `mixtral.model`."""
    for part in key.split("."):
        params = params[part]
    return params


def _closed(schema: dict) -> dict:
    """The schema with every object closed: all its properties required, no others allowed."""
    if "properties" not in schema:
        return schema
    properties = {key: _closed(value) for key, value in schema["properties"].items()}
    closed = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return schema | closed


def _explain(error, file: str) -> ParamsError:
    """Our message for one jsonschema error."""
    key = ".".join(str(part) for part in error.absolute_path) or "(top level)"
    if error.validator in ("additionalProperties", "required"):
        known = list(error.schema["properties"])
        missing = [name for name in known if name not in error.instance]
        unknown = [name for name in error.instance if name not in known]
        if unknown:
            close = difflib.get_close_matches(str(unknown[0]), known, n=1)
            remedy = f"did you mean {close[0]}?" if close else "remove it"
            return ParamsError(
                f"unknown key {unknown[0]}", file=file, section=key, value=_shown(error.instance[unknown[0]]),
                allowed=", ".join(known), remedy=remedy,
            )  # fmt: skip
        return ParamsError(
            f"missing key {missing[0]}", file=file, section=key, allowed=", ".join(known), remedy="add it"
        )
    return ParamsError(
        "value is not allowed", file=file, key=key, value=_shown(error.instance), allowed=_allowed(error),
        remedy=_number_in_yaml(error) or "change it",
    )  # fmt: skip


def _shown(value: Any) -> str:
    """The value as JSON, cut where it would make the message long."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:80]} ..."


def _number_in_yaml(error) -> str:
    """What to write instead of a number such as 3e-4, which YAML 1.1 takes for text: it wants a point before the e."""
    if error.schema.get("type") not in ("number", "integer") or not isinstance(error.instance, str):
        return ""
    try:
        return f"this is text to YAML; write {float(error.instance):.1e}"
    except ValueError:
        return ""


def _allowed(error) -> str:
    """The schema of one value in words."""
    words = {
        "type": "{}",
        "enum": "one of {}",
        "minimum": "at least {}",
        "exclusiveMinimum": "more than {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "less than {}",
        "minLength": "at least {} character",
        "minItems": "at least {} item",
        "maxItems": "at most {} item",
        "uniqueItems": "no item twice",
        "multipleOf": "a multiple of {}",
        "contains": "{[const]} among them",
        "pattern": "text that matches {}",
    }
    return ", ".join(words[name].format(value) for name, value in error.schema.items() if name in words)


def _check_device(params: Mapping, file: str) -> None:
    if params["mode"] == "exact" and params["device"] != "cpu":
        raise ParamsError(
            "exact mode runs on the CPU only", file=file, key="device", value=params["device"], allowed="cpu",
            remedy=f"for this device: snakemake --cores --config mode=fast device={params['device']}",
        )  # fmt: skip
