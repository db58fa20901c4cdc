"""claims/{post}.yaml: the one place where numbers of a post are typed, read into checked objects.

docs/claims.md has the grammar. Everything that can be wrong without looking at an artefact is found here: keys, ids,
names in expressions, rules and their options, words in braces.
"""

from __future__ import annotations

import re
import string
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from postproof.claims import Evidence, Kind, Severity, cells, expression
from postproof.claims.artefacts import POSITIONS, Figure, Parameter, Selection, Source
from postproof.claims.digits import WHOLE
from postproof.claims.expression import Expression
from postproof.claims.quantity import Quantity
from postproof.claims.rules import RULES
from postproof.claims.strict import mapping, naming, one_of, shown, text
from postproof.core import strict_yaml
from postproof.core.errors import ClaimError
from postproof.core.units import Unit

REQUIRED = ("id", "where", "statement", "posted")
OPTIONAL = (
    *("unit", "got", "rule", "if", "readings", "repeats", "setting", "needs", "rerun"),
    *("second", "nearest", "severity", "numbers", "note"),
)
WAYS = ("got", "readings", "repeats", "needs", "rerun")  # one of them, or
PAIRS = (("got", "rerun"), ("readings", "rerun"), ("got", "needs"))
OF_READING = ("if", "got", "rule")
OF_RERUN = ("got", "rule", "differs")
EVIDENCE = {kind.name.lower(): kind for kind in Evidence}

_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?([eE][+-]?\d+)?")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
_TABLE = re.compile(r"([a-z0-9_]+/)?[a-z0-9_]+")
_FIGURE = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")


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
class Test:
    """A rule, its options, and what it is given: several expressions for `ordering`, none for `same_as`."""

    rule: str
    options: dict[str, Any]
    got: tuple[Expression, ...]


@dataclass(frozen=True)
class Reading:
    """One way to understand a claim; `condition` is None where there is one only and it needs no words."""

    condition: str | None
    test: Test


@dataclass(frozen=True)
class Shown:
    """A computed number in a text: `digits` significant ones (WHOLE: all of a count), in `unit`."""

    got: Expression
    unit: str
    digits: int


@dataclass(frozen=True)
class Claim:
    """One entry, checked. `number` is None for a statement. Texts may have words in braces, keys of `numbers`."""

    id: str
    where: str
    statement: str
    number: PostedNumber | None = None
    kind: Kind = Kind.CLAIM
    readings: tuple[Reading, ...] = ()
    rerun: Test | None = None
    differs: str | None = None  # between the rerun and the posted run
    repeats: str | None = None
    needs: str | None = None
    prediction: Expression | None = None  # of a claim that needs something
    second: Expression | None = None  # another computation, by the rule of the first reading
    nearest: str | None = None  # the reading under which a claim that does not hold would
    severity: Severity | None = None  # where it is not as the numbers tell
    numbers: dict[str, Shown] = field(default_factory=dict)
    note: str | None = None

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Those that decide it."""
        tests = [reading.test for reading in self.readings] + ([self.rerun] if self.rerun else [])
        return tuple(each for test in tests for each in test.got)


@dataclass(frozen=True)
class Basis:
    """What kind of evidence a table is, and of what: which model, text, seeds."""

    evidence: Evidence
    of: str | None


@dataclass(frozen=True)
class Document:
    """A post's claims and findings. `posted` has the numbers of the other posts too, for `posted()` and `same_as`."""

    post: str
    title: str
    values: dict[str, Source]
    bases: dict[str, Basis]
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
        required, optional = ("post", "title", "claims"), ("others", "evidence", "values", "findings")
        content = mapping(contents[path], required, optional)
        if content["post"] != Path(path).stem:
            raise ClaimError("post and file have different names", key="post", value=shown(content["post"]))
        _check_others(content.get("others", []), others)
        reader = _Reader(content["post"], posted)
        for name, entry in mapping(content.get("values") or {}).items():
            reader.add_value(name, entry)
        claims = [reader.claim(entry) for entry in content["claims"]]
        claims += [reader.finding(entry) for entry in _list_of(content.get("findings", []), "findings")]
        bases = _bases(content.get("evidence", {}), reader)
        _check_repeats(claims)
    return Document(content["post"], text(content["title"]), reader.values, bases, tuple(claims), posted)


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
            posted[_new_identifier(entry["id"], posted)] = _posted(entry)


def _name_of(entry: Any, position: int) -> str:
    identifier = entry.get("id") if isinstance(entry, Mapping) else None
    return identifier if isinstance(identifier, str) else f"number {position} in the list"


def _new_identifier(name: Any, known: Mapping[str, Any]) -> str:
    if not _IDENTIFIER.fullmatch(text(name)):
        raise ClaimError("not an id", value=name, allowed="small letters, digits and _, a letter first")
    if name in known:
        raise ClaimError("id stands twice", key="id", value=name, allowed="ids unique over all posts")
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


def _bases(content: Any, reader: _Reader) -> dict[str, Basis]:
    """By table. Raises ClaimError for a table that no value names, and for one that has no entry."""
    bases = {}
    used = sorted({source.table for source in reader.values.values() if isinstance(source, Selection)})
    for name, entry in mapping(content or {}).items():
        with naming(key=f"evidence.{name}"):
            table = one_of(_table(name, reader.post), used, "table")
            entry = mapping(entry, required=("kind",), optional=("of",))
            kind = EVIDENCE[one_of(entry["kind"], EVIDENCE, "kind of evidence")]
            bases[table] = Basis(kind, _one_line(entry["of"]) if "of" in entry else None)
    for table in used:
        if table not in bases:
            raise ClaimError("a table without a kind of evidence", key="evidence", table=table,
                             allowed=", ".join(EVIDENCE), remedy="say what its numbers are")  # fmt: skip
    return bases


def _check_repeats(claims: Sequence[Claim]) -> None:
    own = {claim.id: claim for claim in claims if claim.kind is Kind.CLAIM}
    for claim in claims:
        if claim.repeats is not None:
            with naming(claim=claim.id, key="repeats"):
                first = own[one_of(claim.repeats, own, "claim of this post that repeats no other")]
                if (claim.number is None) != (first.number is None):
                    raise ClaimError("a number repeats a statement, or the other way round", value=claim.repeats)
                if claim.number and not Unit.parse(claim.number.unit).same_dimension(Unit.parse(first.number.unit)):
                    units = f"{claim.number.unit} and {first.number.unit}"
                    raise ClaimError("units differ", value=units, allowed="units of one kind")


class _Reader:
    """Reads entries of one document; cells in expressions become values beside those that are named."""

    def __init__(self, post: str, posted: Mapping[str, PostedNumber | None]):
        self.post, self.posted = post, posted
        self.values: dict[str, Source] = {}
        self.ids = dict.fromkeys(posted)
        self.numbers = {identifier: number for identifier, number in posted.items() if number}

    def add_value(self, name: str, entry: Any) -> None:
        with naming(key=f"values.{name}"):
            if not _IDENTIFIER.fullmatch(name) or name in expression.RESERVED:
                raise ClaimError("not a name for a value",
                                 allowed="small letters, digits and _, and no function's name")  # fmt: skip
            self.values[name] = _value(entry, self.post)

    def claim(self, entry: dict[str, Any]) -> Claim:
        with naming(claim=entry["id"]):
            number = self.posted[entry["id"]]
            ways = [
                key for key in WAYS if key in entry or (key == "got" and "rule" in entry and "readings" not in entry)
            ]
            if len(ways) != 1 and tuple(ways) not in PAIRS:
                raise ClaimError("a claim is decided in one way", value=", ".join(ways) or "none",
                                 allowed="`got`, `readings`, `repeats`, `needs` (with `got`: what we predict); "
                                         "`rerun` alone or beside the first two")  # fmt: skip
            fields = self._texts(entry)
            if "setting" in entry:
                self._only(entry, ("setting", "got", "rule"))
                if entry["setting"] is not True:
                    raise ClaimError("unknown setting", key="setting", value=shown(entry["setting"]), allowed="true")
                test = self._test(entry | {"rule": entry.get("rule", "exact")}, number)
                return Claim(kind=Kind.SETTING, readings=(Reading(None, test),), **fields)
            if "repeats" in entry:
                self._only(entry, ("repeats",))
                return Claim(kind=Kind.REPEAT, repeats=text(entry["repeats"]), **fields)
            if "needs" in entry:
                self._only(entry, ("needs", "got"))
                prediction = self._expression(entry["got"], "got") if "got" in entry else None
                return Claim(needs=_one_line(entry["needs"]), prediction=prediction, **fields)
            readings = self._readings(entry, number)
            rerun, differs = self._rerun(entry, number)
            if "second" in entry:
                fields["second"] = self._expression(entry["second"], "second")
            if "severity" in entry:
                with naming(key="severity"):
                    fields["severity"] = Severity(one_of(entry["severity"], [str(each) for each in Severity], "word"))
            return Claim(readings=readings, rerun=rerun, differs=differs, **fields)

    def finding(self, entry: Any) -> Claim:
        """Like a claim that the post does not make."""
        with naming(finding=_name_of(entry, 0)):
            entry = mapping(entry, ("id", "where", "statement"), ("numbers", "note"))
            _new_identifier(entry["id"], self.ids)
            self.ids[entry["id"]] = None
            fields = self._texts(entry)
            for name in fields["numbers"]:
                if f"{{{name}}}" not in fields["statement"] + (fields["note"] or ""):
                    raise ClaimError("a number that the text does not show", key="numbers", value=name)
            return Claim(kind=Kind.FINDING, **fields)

    def _texts(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        fields: dict[str, Any] = {"id": entry["id"], "number": self.posted.get(entry["id"])}
        for key in ("where", "statement", "nearest", "note"):
            with naming(key=key):
                fields[key] = _one_line(entry[key]) if key in entry else None
        fields["numbers"] = {}
        for name, number in mapping(entry.get("numbers", {})).items():
            with naming(key=f"numbers.{name}"):
                number = mapping(number, required=("got", "unit"), optional=("digits",))
                digits = text(number.get("digits", "3"))
                is_whole = digits == "whole"
                if not is_whole and (not digits.isdecimal() or not 1 <= int(digits) <= 12):
                    raise ClaimError("not a number of digits", value=digits, allowed="1 to 12, or `whole` for a count")
                got = self._expression(number["got"], "got")
                Unit.parse(text(number["unit"]))
                fields["numbers"][name] = Shown(got, number["unit"], WHOLE if is_whole else int(digits))
        reading_texts = [each.get("if", "") for each in entry.get("readings", []) if isinstance(each, dict)]
        rerun = entry.get("rerun")
        texts = [*fields.values(), entry.get("if"), entry.get("needs"), *reading_texts]
        texts.append(rerun.get("differs") if isinstance(rerun, dict) else None)
        for each in texts:
            if isinstance(each, str):
                check_braces(each, fields["numbers"])
        return fields

    def _readings(self, entry: Mapping[str, Any], number: PostedNumber | None) -> tuple[Reading, ...]:
        if "readings" in entry:
            readings = _list_of(entry["readings"], "readings")
            if len(readings) < 2 or "if" in entry or "got" in entry:
                raise ClaimError("several readings have an `if` and a `got` each", key="readings",
                                 allowed="two or more; `if` and `got` within them")  # fmt: skip
            found = []
            for position, each in enumerate(readings, start=1):
                with naming(reading=position):
                    each = mapping(each, required=("if",), optional=("got", "rule"))
                    shared = {key: entry[key] for key in ("rule",) if key in entry}
                    found.append(Reading(_one_line(each["if"]), self._test(shared | each, number)))
            return tuple(found)
        if "got" not in entry and "rule" not in entry:
            if "if" in entry:
                raise ClaimError("nothing is judged under this reading", key="if")
            return ()
        condition = _one_line(entry["if"]) if "if" in entry else None
        return (Reading(condition, self._test(entry, number)),)

    def _rerun(self, entry: Mapping[str, Any], number: PostedNumber | None) -> tuple[Test | None, str | None]:
        if "rerun" not in entry:
            return None, None
        with naming(key="rerun"):
            rerun = mapping(entry["rerun"], required=("rule",), optional=("got", "differs"))
            return self._test(rerun, number), _one_line(rerun["differs"]) if "differs" in rerun else None

    def _only(self, entry: Mapping[str, Any], allowed: Sequence[str]) -> None:
        judged = {*WAYS, "rule", "if", "second", "severity", "nearest", "setting"}
        for key in entry:
            if key in judged and key not in allowed:
                raise ClaimError(f"key '{key}' has no place beside '{allowed[0]}'", key=key)

    def _test(self, entry: Mapping[str, Any], number: PostedNumber | None) -> Test:
        with naming(key="rule"):
            name, options = _rule(entry, number)
        source = RULES[name].source
        if (source == "got") != ("got" in entry):
            verb = "needs" if source == "got" else "takes no"
            raise ClaimError(f"rule '{name}' {verb} key 'got'", key="got")
        texts = {"got": [entry.get("got")], "claim": [], "ascending": options.get("ascending")}[source]
        key = "got" if source == "got" else f"rule.{name}.{source}"
        if name == "same_as":
            _same_kind(number, options["claim"], self.numbers)
        return Test(name, options, tuple(self._expression(each, key) for each in texts))

    def _expression(self, source: Any, key: str) -> Expression:
        with naming(key=key):
            source = text(source)
            places: dict[str, str] = {}

            def in_place(match: re.Match) -> str:
                with naming(cell=match[0]):
                    name = match[0].replace(" ", "")
                    self.values.setdefault(name, _value(cells.entry(match), self.post))
                place = f"cell_{len(places)}__"
                places[place] = name
                return place

            plain = cells.CELL.sub(in_place, source)
            parsed = expression.parse(plain, ChainMap(places, self.values), self.numbers)
            text_on_a_line = " ".join(source.split())
            return (
                expression.renamed(parsed, text_on_a_line, places) if places else replace(parsed, text=text_on_a_line)
            )


def check_braces(words: str, numbers: Mapping[str, Any]) -> None:
    """Raises ClaimError when a text has braces that are no key of `numbers`."""
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(words) if name is not None]
    except ValueError as error:
        raise ClaimError("braces do not match", value=shown(words)) from error
    for name in fields:
        one_of(name, numbers, "number in braces")


def _one_line(content: Any) -> str:
    return " ".join(text(content).split())


def _list_of(content: Any, key: str) -> list:
    if not isinstance(content, list):
        raise ClaimError("not a list", key=key, value=shown(content))
    return content


def _value(entry: Any, post: str) -> Source:
    if "param" in mapping(entry):
        entry = mapping(entry, required=("param", "unit"), optional=())
        return Parameter(text(entry["param"]), Unit.parse(text(entry["unit"])))
    if "figure" in entry:
        entry = mapping(entry, required=("figure",), optional=())
        if not _FIGURE.fullmatch(text(entry["figure"])):
            raise ClaimError("not a published figure", value=shown(entry["figure"]), allowed="{work}.{figure}")
        return Figure(*entry["figure"].split("."))
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
        constant="constant" in given and _one_way(entry, "constant", True),
        all_rows="rows" in given and _one_way(entry, "rows", "all"),
    )


def _table(name: str, post: str) -> str:
    if not _TABLE.fullmatch(name):
        raise ClaimError("not a table", value=shown(name), allowed="{table} of this post, or {post}/{table}")
    return name if "/" in name else f"{post}/{name}"


def _one_way(entry: Mapping[str, Any], key: str, allowed: Any) -> bool:
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


def _rule(entry: Mapping[str, Any], number: PostedNumber | None) -> tuple[str, dict[str, Any]]:
    """`name`, or `{name: {option: value}}`."""
    if "rule" not in entry:
        raise ClaimError("key 'rule' is missing", allowed=f"one of {', '.join(RULES)}; or `needs` in place of it")
    given = entry["rule"]
    name, options = (given, {}) if not isinstance(given, Mapping) or len(given) != 1 else next(iter(given.items()))
    rule = RULES[one_of(name, RULES, "rule")]
    options = mapping(options, required=rule.options, optional=())
    if rule.number != (number is not None):
        raise ClaimError(f"rule '{name}' does not go with what is posted",
                         value=number.text if number else "true",
                         allowed="a number" if rule.number else "true")  # fmt: skip
    parsed = {}
    for key, value in options.items():
        with naming(option=f"{name}.{key}"):
            parsed[key] = rule.options[key](value)
    return name, parsed


def _same_kind(this: PostedNumber, other: str, numbers: Mapping[str, PostedNumber]) -> None:
    with naming(key="rule", option="same_as.claim"):
        one_of(other, numbers, "claim")
        if numbers[other] is this:
            raise ClaimError("a claim is not held against itself", value=other)
        if this.unit != numbers[other].unit:
            raise ClaimError("units differ", value=f"{this.unit} and {numbers[other].unit}", allowed="equal units")
