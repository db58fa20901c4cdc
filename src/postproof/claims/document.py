"""claims/{post}.yaml: the one place where figures of a post are typed, read into checked objects.

    post, title
    tables:   name: {path: results/.../name.csv, seeds: dotted.path.of.the.list.in.params}   # seeds: tables of runs
    values:   name: {table: name, where: {label: wanted, checkpoint: first | last | index}, column: name}
              name: {param: dotted.path, unit: u}
    claims:   - id            small letters, digits, _; begins with the experiment's stem; unique over all posts
                where         part of the post
                statement     what is claimed, in our words
                posted        a number with the digits that the post has, or `true` for a statement
                unit          of a posted number: a symbol, 1, a/b, a*b, a^2, or %
                got           an expression over values (see `expression`)
                rule          name, or {name: {option: value}} (see `rules.RULES`)
                if            optional: the reading or setting under which it is judged; `holds` becomes `holds if`
                note          optional: why the verdict is what it is
                needs         in place of got and rule: what is missing; the verdict is `not checked`

Without `checkpoint` a value has all of them. Everything that can be wrong without looking at an artefact is found
here: keys, ids, names in expressions, rules and their options. claims/mixtral.yaml is the model to write by.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from postproof.claims import expression
from postproof.claims.artefacts import POSITIONS, Parameter, Selection
from postproof.claims.expression import Expression
from postproof.claims.rules import RULES
from postproof.claims.strict import load, mapping, naming, one_of, shown, text
from postproof.claims.units import ONE, Unit
from postproof.errors import ClaimError

PERCENT = "%"
REQUIRED = ("id", "where", "statement", "posted")
OPTIONAL = ("unit", "got", "rule", "if", "note", "needs")

_FIGURE = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?([eE][+-]?\d+)?")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Figure:
    """A posted number: the text as typed, its value with just those digits, and its unit (`%` stays `%`)."""

    text: str
    value: Decimal
    unit: str

    def dimension(self) -> Unit:
        return ONE if self.unit == PERCENT else Unit.parse(self.unit)


@dataclass(frozen=True)
class Claim:
    """One claim, checked. `figure` is None for a statement, `rule` is None for a claim that `needs` something."""

    id: str
    where: str
    statement: str
    figure: Figure | None
    rule: str | None
    options: dict[str, Any]
    got: tuple[Expression, ...]  # several for `ordering`, none for `same_as`
    condition: str | None
    note: str | None
    needs: str | None


@dataclass(frozen=True)
class TableSource:
    path: str
    seeds: str | None  # dotted path of the params' list of seeds; None: the table has no runs


@dataclass(frozen=True)
class Document:
    """A post's claims. `figures` has those of the other posts too, for `posted()` and `same_as`."""

    post: str
    tables: dict[str, TableSource]
    values: dict[str, Selection | Parameter]
    claims: tuple[Claim, ...]
    figures: dict[str, Figure | None]


def read(path: Path, others: Sequence[Path] = ()) -> Document:
    """The document at `path`; `others` are further posts' claims, whose ids and figures it may name.

    Raises ClaimError naming the file, the claim and the key.
    """
    contents = {file: load(file) for file in dict.fromkeys((path, *others))}
    figures: dict[str, Figure | None] = {}
    for file, content in contents.items():
        with naming(file=file):
            _collect_figures(content, figures)
    with naming(file=path):
        keys = ("post", "title", "tables", "values", "claims")
        content = mapping(contents[path], required=keys, optional=())
        text(content["title"])
        if content["post"] != Path(path).stem:
            raise ClaimError("post and file have different names", key="post", value=shown(content["post"]))
        tables = {name: _table(name, entry) for name, entry in mapping(content["tables"]).items()}
        values = {name: _value(name, entry, tables) for name, entry in mapping(content["values"]).items()}
        claims = tuple(_claim(entry, values, figures) for entry in content["claims"])
    return Document(content["post"], tables, values, claims, figures)


def _collect_figures(content: dict[str, Any], figures: dict[str, Figure | None]) -> None:
    """Ids and posted figures first, since a claim may name a later one."""
    if not isinstance(content.get("claims"), list) or not content["claims"]:
        raise ClaimError("no list of claims", key="claims", value=shown(content.get("claims")))
    for position, entry in enumerate(content["claims"], start=1):
        with naming(claim=_name_of(entry, position)):
            entry = mapping(entry, REQUIRED, OPTIONAL)
            identifier = _identifier(entry["id"])
            if identifier in figures:
                raise ClaimError("id stands twice", key="id", value=identifier, allowed="ids unique over all posts")
            figures[identifier] = _figure(entry)


def _name_of(entry: Any, position: int) -> str:
    identifier = entry.get("id") if isinstance(entry, Mapping) else None
    return identifier if isinstance(identifier, str) else f"number {position} in the list"


def _identifier(name: Any) -> str:
    if not _IDENTIFIER.fullmatch(text(name)):
        raise ClaimError("not an id", value=name, allowed="small letters, digits and _, a letter first")
    return name


def _figure(entry: dict[str, Any]) -> Figure | None:
    posted = entry["posted"]
    if posted is True:
        if "unit" in entry:
            raise ClaimError("a statement has no unit", key="unit", value=shown(entry["unit"]))
        return None
    if not isinstance(posted, str) or not _FIGURE.fullmatch(posted):
        raise ClaimError("not a number", key="posted", value=shown(posted), allowed="a number as typed, or true")
    with naming(key="unit"):
        unit = text(entry.get("unit"))
        if unit != PERCENT:
            Unit.parse(unit)
    return Figure(posted, Decimal(posted.replace(",", "")), unit)


def _table(name: str, entry: Any) -> TableSource:
    with naming(key=f"tables.{name}"):
        entry = mapping(entry, required=("path",), optional=("seeds",))
        path = text(entry["path"])
        if Path(path).stem != name:
            raise ClaimError("a table has the name of its file", value=path, allowed=f".../{name}.csv")
        return TableSource(path, text(entry["seeds"]) if "seeds" in entry else None)


def _value(name: str, entry: Any, tables: Collection[str]) -> Selection | Parameter:
    with naming(key=f"values.{name}"):
        if not _IDENTIFIER.fullmatch(name) or name in expression.RESERVED:
            raise ClaimError("not a name for a value", allowed="small letters, digits and _, and no function's name")
        if "param" in mapping(entry):
            entry = mapping(entry, required=("param", "unit"), optional=())
            return Parameter(text(entry["param"]), Unit.parse(text(entry["unit"])))
        entry = mapping(entry, required=("table", "where", "column"), optional=())
        labels = {label: text(wanted) for label, wanted in mapping(entry["where"]).items()}
        checkpoint = labels.pop("checkpoint", None)
        return Selection(
            one_of(entry["table"], tables, "table"),
            text(entry["column"]),
            labels,
            None if checkpoint is None else _checkpoint(checkpoint),
        )


def _checkpoint(wanted: str) -> int:
    if wanted in POSITIONS:
        return POSITIONS[wanted]
    if not re.fullmatch(r"-?\d+", wanted):
        allowed = ", ".join([*POSITIONS, "a whole number"])
        raise ClaimError("not a checkpoint", value=wanted, allowed=allowed)
    return int(wanted)


def _claim(entry: dict[str, Any], values: Collection[str], figures: Mapping[str, Figure | None]) -> Claim:
    with naming(claim=entry["id"]):
        fields = {}
        for key in ("where", "statement", "if", "note", "needs"):
            with naming(key=key):
                fields[key] = " ".join(text(entry[key]).split()) if key in entry else None
        fields["condition"] = fields.pop("if")
        figure = figures[entry["id"]]
        if fields["needs"]:
            for key in ("got", "rule", "if"):
                if key in entry:
                    raise ClaimError(f"a claim that needs something is not judged: '{key}' has no place", key=key)
            return Claim(entry["id"], figure=figure, rule=None, options={}, got=(), **fields)
        with naming(key="rule"):
            name, options = _rule(entry, figure)
        got = _got(entry, name, options, values, figures)
        if name == "same_as":
            _same_kind(entry["id"], options["claim"], figures)
        return Claim(entry["id"], figure=figure, rule=name, options=options, got=got, **fields)


def _rule(entry: dict[str, Any], figure: Figure | None) -> tuple[str, dict[str, Any]]:
    """`name`, or `{name: {option: value}}`."""
    if "rule" not in entry:
        raise ClaimError("key 'rule' is missing", allowed=f"one of {', '.join(RULES)}; or `needs` in place of it")
    given = entry["rule"]
    name, options = (given, {}) if not isinstance(given, Mapping) or len(given) != 1 else next(iter(given.items()))
    rule = RULES[one_of(name, RULES, "rule")]
    options = mapping(options, required=rule.options, optional=())
    if rule.figure != (figure is not None):
        posted, allowed = shown(entry["posted"]), "a number" if rule.figure else "true"
        raise ClaimError(f"rule '{name}' does not go with what is posted", value=posted, allowed=allowed)
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
    figures: Mapping[str, Figure | None],
) -> tuple[Expression, ...]:
    source = RULES[name].source
    if (source == "got") != ("got" in entry):
        verb = "needs" if source == "got" else "takes no"
        raise ClaimError(f"rule '{name}' {verb} key 'got'", key="got")
    with naming(key="got" if source == "got" else f"rule.{name}.{source}"):
        texts = {"got": [entry.get("got")], "claim": [], "ascending": options.get("ascending")}[source]
        posted = [identifier for identifier, figure in figures.items() if figure]
        return tuple(expression.parse(each, values, posted) for each in texts)


def _same_kind(this: str, other: str, figures: Mapping[str, Figure | None]) -> None:
    with naming(key="rule", option="same_as.claim"):
        one_of(other, [identifier for identifier, figure in figures.items() if figure and identifier != this], "claim")
        if figures[this].unit != figures[other].unit:
            units = f"{figures[this].unit} and {figures[other].unit}"
            raise ClaimError("units differ", value=units, allowed="equal units")
