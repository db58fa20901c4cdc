"""Sections of params.yaml as dataclasses: types, ranges and relations stand once, in the class of the section.

A class of a section derives from `Settings`. Its annotations say what may stand there, as JSON Schema keywords:

    class RopeDecay(Settings):
        draws: Annotated[int, at_least(2)]    # of independent unit q and k
        seeds: Seeds

`relations` yields what its values must satisfy together. The border (engines/params.py) makes the schema of the whole
file from these classes and checks everything before the DAG is built; a job gets its section as JSON, builds the class
with `parse` and trusts it. The class of a post's whole section may have EXAMPLES, a ClassVar: values for lists and
mappings that are empty by default, by dotted key, with which the rules for them have jobs.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar

from postproof.core.errors import ParamsError

S = TypeVar("S", bound="Settings")


class Relation(typing.NamedTuple):
    """Whether values fit together; where not, `value` at `key` is to blame, and `allowed` says what would do."""

    holds: bool
    key: str  # dotted, below the section that states the relation
    value: Any
    allowed: str
    what: str = "values do not fit together"
    remedy: str = "change one of the two"


def at_least(number: float) -> dict[str, Any]:
    return {"minimum": number}


def above(number: float) -> dict[str, Any]:
    return {"exclusiveMinimum": number}


def at_most(number: float) -> dict[str, Any]:
    return {"maximum": number}


def below(number: float) -> dict[str, Any]:
    return {"exclusiveMaximum": number}


def multiple_of(number: int) -> dict[str, Any]:
    return {"multipleOf": number}


def one_of(*values: str) -> dict[str, Any]:
    return {"enum": list(values)}


def items(at_least: int = 1, at_most: int | None = None, unique: bool = True) -> dict[str, Any]:
    """How many items a list has, and whether each may stand once only."""
    limits = {"minItems": at_least} | ({} if at_most is None else {"maxItems": at_most})
    return limits | ({"uniqueItems": True} if unique else {})


def pattern(expression: str) -> dict[str, Any]:
    return {"pattern": expression}


def keys(expression: str) -> dict[str, Any]:
    """Of a mapping with free keys: what a key looks like."""
    return {"propertyNames": {"pattern": expression}}


Count = Annotated[int, at_least(1)]
Position = Annotated[int, at_least(0)]
Text = Annotated[str, {"minLength": 1}]
Share = Annotated[float, at_least(0), at_most(1)]
Seeds = Annotated[tuple[Annotated[int, at_least(0)], ...], items()]
Counts = Annotated[tuple[Count, ...], items()]
Flops = Annotated[float, at_least(1), at_most(1e18)]
LearningRate = Annotated[float, above(0), at_most(10)]


@typing.dataclass_transform(frozen_default=True)
class Settings:
    """Base of the classes of sections: each is a frozen dataclass without saying so."""

    def __init_subclass__(cls) -> None:
        dataclasses.dataclass(frozen=True)(cls)

    def relations(self) -> Iterator[Relation]:
        """What the values of this section must satisfy together."""
        return iter(())


def schema(kind: Any) -> dict[str, Any]:
    """JSON Schema of a section's class, or of the type of one value. Objects are closed: all keys, and no others."""
    if typing.get_origin(kind) is Annotated:
        base, *constraints = typing.get_args(kind)
        return _joined(schema(base), *constraints)
    if isinstance(kind, type) and issubclass(kind, Settings):
        properties = {name: schema(hint) for name, hint in _hints(kind).items()}
        return {
            "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False
        }  # fmt: skip
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return {"type": "array", "items": schema(arguments[0])}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": schema(arguments[1])}
    return {"type": {int: "integer", float: "number", str: "string", bool: "boolean"}[kind]}


def build(kind: Any, content: Any) -> Any:
    """`content`, as read from YAML or JSON, as the type that its annotation names. Nothing is checked here."""
    if typing.get_origin(kind) is Annotated:
        return build(typing.get_args(kind)[0], content)
    if isinstance(kind, type) and issubclass(kind, Settings):
        hints = _hints(kind)
        return kind(**{name: build(hints.get(name), value) for name, value in content.items()})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return tuple(build(arguments[0], item) for item in content)
    if origin in (dict, Mapping):
        return {key: build(arguments[1], value) for key, value in content.items()}
    return content


def parse(cls: type[S], *texts: str) -> S:
    """A section that a job was handed as JSON, or several that make up one, as an instance of `cls`.

    Raises ParamsError when one is not JSON or their keys together are not those of `cls`, each once.
    """
    try:
        pairs = [pair for text in texts for pair in json.loads(text).items()]
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key stands twice")
        return build(cls, dict(pairs))
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        allowed = ", ".join(field.name for field in dataclasses.fields(cls))
        raise ParamsError(
            f"not a section for {cls.__name__}", value=" ".join(texts)[:200], allowed=f"JSON with {allowed}"
        ) from error


def all_relations(settings: Settings, prefix: str = "") -> Iterator[Relation]:
    """The relations of a section and of the sections in it, with keys from the top."""
    for relation in settings.relations():
        yield relation._replace(key=f"{prefix}{relation.key}")
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Settings):
            yield from all_relations(value, f"{prefix}{field.name}.")


def _hints(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _joined(*schemas: dict[str, Any]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for each in schemas:
        joined |= each
    return joined
