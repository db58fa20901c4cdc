"""claims/{post}.yaml: the one place where numbers of a post are typed, read into checked objects.

docs/claims.md has the grammar. Everything that can be wrong without looking at an artefact is found here: keys, ids,
names in expressions, rules and their options.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from postproof.claims import expression
from postproof.claims.artefacts import POSITIONS, Parameter, Selection
from postproof.claims.expression import Expression
from postproof.claims.quantity import Quantity
from postproof.claims.rules import RULES
from postproof.claims.strict import mapping, naming, one_of, shown, text
from postproof.core import strict_yaml
from postproof.core.errors import ClaimError
from postproof.core.units import Unit

REQUIRED = ("id", "where", "statement", "posted")
OPTIONAL = ("unit", "got", "rule", "if", "note", "needs")

_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?([eE][+-]?\d+)?")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
_TABLE = re.compile(r"([a-z0-9_]+/)?[a-z0-9_]+")


@dataclass(frozen=True)
class PostedNumber:
    """A number of a post: the text as typed, its value with just those digits, and its unit as typed."""

    text: str
    value: Decimal
    unit: str

    def quantity(self) -> Quantity:
        """For `posted()`: 17.09 % is 0.1709, rounded once."""
        unit = Unit.parse(self.unit)
        return Quantity(np.asarray(float(Fraction(self.value) * unit.factor)), unit.base)


@dataclass(frozen=True)
class Claim:
    """One claim, checked. `number` is None for a statement, `rule` is None for a claim that `needs` something."""

    id: str
    where: str
    statement: str
    number: PostedNumber | None
    rule: str | None
    options: dict[str, Any]
    got: tuple[Expression, ...]  # several for `ordering`, none for `same_as`
    condition: str | None
    note: str | None
    needs: str | None


@dataclass(frozen=True)
class Document:
    """A post's claims. `posted` has the numbers of the other posts too, for `posted()` and `same_as`."""

    post: str
    values: dict[str, Selection | Parameter]
    claims: tuple[Claim, ...]
    posted: dict[str, PostedNumber | None]


def read(path: Path, others: Sequence[Path] = ()) -> Document:
    """The document at `path`; `others` are the claims of the posts that it names under that key.

    Raises ClaimError naming the file, the claim and the key.
    """
    contents = {file: strict_yaml.load(file, ClaimError, numbers_as_text=True) for file in (path, *others)}
    posted: dict[str, PostedNumber | None] = {}
    for file, content in contents.items():
        with naming(file=file):
            _collect_posted(mapping(content), posted)
    with naming(file=path):
        content = mapping(contents[path], required=("post", "title", "values", "claims"), optional=("others",))
        text(content["title"])
        if content["post"] != Path(path).stem:
            raise ClaimError("post and file have different names", key="post", value=shown(content["post"]))
        _check_others(content.get("others", []), others)
        values = {name: _value(name, entry, content["post"]) for name, entry in mapping(content["values"]).items()}
        claims = tuple(_claim(entry, values, posted) for entry in content["claims"])
    return Document(content["post"], values, claims, posted)


def _check_others(named: Any, handed: Sequence[Path]) -> None:
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise ClaimError("not a list of posts", key="others", value=shown(named))
    stems = sorted(file.stem for file in handed)
    if sorted(named) != stems:
        raise ClaimError("the job was handed the claims of other posts than these", key="others",
                         value=", ".join(named) or "none", handed=", ".join(stems) or "none")  # fmt: skip


def _collect_posted(content: dict[str, Any], posted: dict[str, PostedNumber | None]) -> None:
    """Ids and posted numbers first, since a claim may name a later one."""
    if not isinstance(content.get("claims"), list) or not content["claims"]:
        raise ClaimError("no list of claims", key="claims", value=shown(content.get("claims")))
    for position, entry in enumerate(content["claims"], start=1):
        with naming(claim=_name_of(entry, position)):
            entry = mapping(entry, REQUIRED, OPTIONAL)
            identifier = _identifier(entry["id"])
            if identifier in posted:
                raise ClaimError("id stands twice", key="id", value=identifier, allowed="ids unique over all posts")
            posted[identifier] = _posted(entry)


def _name_of(entry: Any, position: int) -> str:
    identifier = entry.get("id") if isinstance(entry, Mapping) else None
    return identifier if isinstance(identifier, str) else f"number {position} in the list"


def _identifier(name: Any) -> str:
    if not _IDENTIFIER.fullmatch(text(name)):
        raise ClaimError("not an id", value=name, allowed="small letters, digits and _, a letter first")
    return name


def _posted(entry: dict[str, Any]) -> PostedNumber | None:
    posted = entry["posted"]
    if posted is True:
        if "unit" in entry:
            raise ClaimError("a statement has no unit", key="unit", value=shown(entry["unit"]))
        return None
    if not isinstance(posted, str) or not _NUMBER.fullmatch(posted):
        raise ClaimError("not a number", key="posted", value=shown(posted), allowed="a number as typed, or true")
    with naming(key="unit"):
        unit = text(entry.get("unit"))
        Unit.parse(unit)
    return PostedNumber(posted, Decimal(posted.replace(",", "")), unit)


def _value(name: str, entry: Any, post: str) -> Selection | Parameter:
    with naming(key=f"values.{name}"):
        if not _IDENTIFIER.fullmatch(name) or name in expression.RESERVED:
            raise ClaimError("not a name for a value", allowed="small letters, digits and _, and no function's name")
        if "param" in mapping(entry):
            entry = mapping(entry, required=("param", "unit"), optional=())
            return Parameter(text(entry["param"]), Unit.parse(text(entry["unit"])))
        ways = ("checkpoint", "constant", "rows")
        entry = mapping(entry, required=("table", "column"), optional=("where", *ways))
        given = [way for way in ways if way in entry]
        if len(given) > 1:
            raise ClaimError("a value takes rows in one way only", value=", ".join(given), allowed="one of them")
        labels = {label: text(wanted) for label, wanted in mapping(entry.get("where", {})).items()}
        return Selection(
            _table(text(entry["table"]), post),
            text(entry["column"]),
            labels,
            checkpoint=_checkpoint(text(entry["checkpoint"])) if "checkpoint" in entry else None,
            constant="constant" in given and _only(entry, "constant", True),
            all_rows="rows" in given and _only(entry, "rows", "all"),
        )


def _table(name: str, post: str) -> str:
    if not _TABLE.fullmatch(name):
        raise ClaimError("not a table", value=shown(name), allowed="{table} of this post, or {post}/{table}")
    return name if "/" in name else f"{post}/{name}"


def _only(entry: Mapping[str, Any], key: str, allowed: Any) -> bool:
    if entry[key] != allowed:
        raise ClaimError(f"unknown {key}: {shown(entry[key])}", allowed=str(allowed).lower())
    return True


def _checkpoint(wanted: str) -> int:
    if wanted in POSITIONS:
        return POSITIONS[wanted]
    if not re.fullmatch(r"-?\d+", wanted):
        allowed = ", ".join([*POSITIONS, "a whole number"])
        raise ClaimError("not a checkpoint", value=wanted, allowed=allowed)
    return int(wanted)


def _claim(entry: dict[str, Any], values: Collection[str], posted: Mapping[str, PostedNumber | None]) -> Claim:
    with naming(claim=entry["id"]):
        fields = {}
        for key in ("where", "statement", "if", "note", "needs"):
            with naming(key=key):
                fields[key] = " ".join(text(entry[key]).split()) if key in entry else None
        fields["condition"] = fields.pop("if")
        number = posted[entry["id"]]
        if fields["needs"]:
            for key in ("got", "rule", "if"):
                if key in entry:
                    raise ClaimError(f"a claim that needs something is not judged: '{key}' has no place", key=key)
            return Claim(entry["id"], number=number, rule=None, options={}, got=(), **fields)
        with naming(key="rule"):
            name, options = _rule(entry, number)
        got = _got(entry, name, options, values, posted)
        if name == "same_as":
            _same_kind(entry["id"], options["claim"], posted)
        return Claim(entry["id"], number=number, rule=name, options=options, got=got, **fields)


def _rule(entry: dict[str, Any], number: PostedNumber | None) -> tuple[str, dict[str, Any]]:
    """`name`, or `{name: {option: value}}`."""
    if "rule" not in entry:
        raise ClaimError("key 'rule' is missing", allowed=f"one of {', '.join(RULES)}; or `needs` in place of it")
    given = entry["rule"]
    name, options = (given, {}) if not isinstance(given, Mapping) or len(given) != 1 else next(iter(given.items()))
    rule = RULES[one_of(name, RULES, "rule")]
    options = mapping(options, required=rule.options, optional=())
    if rule.number != (number is not None):
        raise ClaimError(f"rule '{name}' does not go with what is posted", value=shown(entry["posted"]),
                         allowed="a number" if rule.number else "true")  # fmt: skip
    parsed = {}
    for key, value in options.items():
        with naming(option=f"{name}.{key}"):
            parsed[key] = rule.options[key](value)
    return name, parsed


def _got(
    entry: dict[str, Any],
    name: str,
    options: dict[str, Any],
    values: Collection[str],
    posted: Mapping[str, PostedNumber | None],
) -> tuple[Expression, ...]:
    source = RULES[name].source
    if (source == "got") != ("got" in entry):
        verb = "needs" if source == "got" else "takes no"
        raise ClaimError(f"rule '{name}' {verb} key 'got'", key="got")
    with naming(key="got" if source == "got" else f"rule.{name}.{source}"):
        texts = {"got": [entry.get("got")], "claim": [], "ascending": options.get("ascending")}[source]
        numbers = [identifier for identifier, number in posted.items() if number]
        return tuple(expression.parse(each, values, numbers) for each in texts)


def _same_kind(this: str, other: str, posted: Mapping[str, PostedNumber | None]) -> None:
    with naming(key="rule", option="same_as.claim"):
        one_of(other, [identifier for identifier, number in posted.items() if number and identifier != this], "claim")
        if posted[this].unit != posted[other].unit:
            units = f"{posted[this].unit} and {posted[other].unit}"
            raise ClaimError("units differ", value=units, allowed="equal units")
