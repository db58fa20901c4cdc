"""params.yaml, checked as a whole before the DAG is built.

What may stand there is stated by the settings classes of the posts (core/settings.py): postproof/{post}/settings.py has
`Params`, the class of the post's section. Jobs get sections of params.yaml and trust them.
"""

from __future__ import annotations

import difflib
import importlib
import json
import math
import os
import reprlib
import sys
import urllib.parse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from postproof.core import settings, strict_yaml
from postproof.core.errors import ParamsError
from postproof.engines import inventory

MODE, DEVICE = "mode", "device"
GLOBAL = {MODE: {"enum": ["exact", "fast"]}, DEVICE: {"enum": ["cpu", "cuda", "auto"]}}


def load(path: Path | str) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises ParamsError when it is missing, not YAML, no mapping, or a key stands twice.
    """
    return strict_yaml.load(path, ParamsError, remedy="mend the file, or `git checkout` it")


def layered(paths: Iterable[Path | str], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """What the first file holds, with what the next ones and then `overrides` have in its place, key by key.

    Raises ParamsError as `load` does.
    """
    content: dict[str, Any] = {}
    for layer in (*map(load, paths), overrides):
        _put_over(content, layer)
    return content


def _put_over(content: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, Mapping) and isinstance(content.get(key), dict):
            _put_over(content[key], value)
        else:
            content[key] = value


def validate(params: Any, file: str, root: Path) -> None:
    """Checks types, ranges and unknown keys, then the relations between keys.

    Raises ParamsError with file, key, value and what is allowed, for the first thing that is wrong.
    """
    import jsonschema

    classes = sections(root)
    properties = GLOBAL | {post: settings.schema(cls) for post, cls in classes.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    # JSON Schema takes 6.0 for an integer, and NaN for a number in any range.
    types = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: (
                isinstance(value, float)
                and math.isfinite(value)
                or isinstance(value, int)
                and not isinstance(value, bool)
                and abs(value) <= sys.float_info.max
            ),
        }
    )
    validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=types)
    errors = validator(schema).iter_errors(params)
    error = jsonschema.exceptions.best_match(errors, key=lambda error: -len(error.absolute_path))
    if error is not None:
        raise _explain(error, file)
    _check_device(params, file)
    for post, cls in classes.items():
        for relation in settings.all_relations(settings.build(cls, params[post]), f"{post}."):
            if not relation.holds:
                raise ParamsError(
                    relation.what, file=file, key=relation.key, value=relation.value, allowed=relation.allowed,
                    remedy=relation.remedy,
                )  # fmt: skip


def sections(root: Path) -> dict[str, type[settings.Settings]]:
    """The class of each post's section; a post without settings has none."""
    return {
        post: importlib.import_module(f"postproof.{post}.settings").Params
        for post in inventory.posts(root)
        if (root / f"src/postproof/{post}/settings.py").is_file()
    }


def look_up(params: Mapping, key: str) -> Any:
    """The value at a dotted key, e.g. `mixtral.model`."""
    for part in key.split("."):
        params = params[part]
    return params


def path_at(params: Mapping, key: str, file: str) -> str:
    """The path of an input that a user chose, without `.`, `..` and doubled slashes on its way.

    Raises ParamsError for one that the engines cannot carry: to Snakemake, braces are wildcards and <name> a variable;
    to a command, a leading `-` is an option; to DVC, what begins like `s3:` is an address, and a file of its own no
    dependency. All else is quoted where it meets a shell.
    """
    path = os.path.normpath(look_up(params, key))
    of_dvc = os.path.basename(path) in ("dvc.yaml", "dvc.lock") or path.endswith(".dvc")
    if path.startswith("-") or set("{}<>") & set(path) or urllib.parse.urlsplit(path).scheme or of_dvc:
        raise ParamsError(
            "a path that the engines cannot carry", file=file, key=key, value=_shown(path),
            allowed="a path without { } < > that does not begin with - or like s3:, nor a file of DVC's",
            remedy="rename the file, or copy it to another name",
        )  # fmt: skip
    return path


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
    """The value as JSON, or as Python where it has none (a key that is a date), cut where it would be long."""
    try:
        text = json.dumps(value, default=str)
    except (TypeError, ValueError):
        text = reprlib.repr(value)
    return text if len(text) <= 80 else f"{text[:80]} ..."


def _number_in_yaml(error) -> str:
    """What to write instead of a number in quotes."""
    if error.schema.get("type") not in ("number", "integer") or not isinstance(error.instance, str):
        return ""
    try:
        return f"this is text to YAML; write {float(error.instance):.12g}, without quotes"
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
    if params[MODE] == "exact" and params[DEVICE] != "cpu":
        raise ParamsError(
            "exact mode runs on the CPU only", file=file, key=DEVICE, value=params[DEVICE], allowed="cpu",
            remedy=f"for this device: snakemake --cores --config mode=fast device={params[DEVICE]}",
        )  # fmt: skip
