"""Judge a post's claims against its tables, params and the literature: one record each, into claims.json.

A record has, beside what the post says:

    kind, verdict      see claims/__init__.py; a finding has no verdict, a repeat that of the claim that it repeats
    got, reason        what we get, in the unit of the claim, and the comparison in words
    readings           where there are several: of each the reading, what we get and whether it holds
    rerun              beside a claim that something else decides: what the post's run, made again, gives
    evidence, of       what kind it is, and of which runs, model, text
    severity           of what does not hold; `second`: what another computation says, `nearest`: what would hold
    artefact, stages   every cell, param and posted number that decides it; its tables and what makes each (or null)
    differs            between the posted run and the rerun that decides, where they give different numbers
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from postproof.claims import Evidence, Kind, Severity, Verdict, artefacts, document, expression
from postproof.claims.artefacts import Figure, Parameter, Selection, Table, Work
from postproof.claims.digits import in_digits
from postproof.claims.document import Claim, Document, PostedNumber, Test
from postproof.claims.quantity import MissingRun, Quantity, align, plain, same_unit
from postproof.claims.rules import RULES, Outcome
from postproof.claims.strict import naming, one_of
from postproof.core import files, tables
from postproof.core.errors import ClaimError, UsageError
from postproof.core.units import Unit

SHARED = "published"  # schemas of tables that several posts have
SLIP, OF_UNIT = 0.01, 0.005  # off by no more than this share, or by a unit's factor to within that, is a slip
UNIT_FACTORS = (1e3, 1e6, 1e9, 2**10, 2**20, 2**30, 1.024, 1.024**2, 1.024**3, 8)  # between neighbouring units


def add_arguments(parser: argparse.ArgumentParser) -> None:
    files_of = {"type": Path, "nargs": "*", "default": []}
    parser.add_argument("--claims", type=Path, required=True, help="claims/{post}.yaml")
    parser.add_argument("--others", **files_of, help="claims of the posts that these name")
    parser.add_argument("--schemas", **files_of, help=".../{post}/{table}.yaml or .../published/{table}.yaml")
    parser.add_argument("--tables", **files_of, help="the tables that the claims name")
    parser.add_argument("--works", **files_of, help="data/published/{work}.yaml")
    parser.add_argument("--stages", default="{}", help="what makes each table, as JSON: path to name")
    parser.add_argument("--params", default="{}", help="the post's section of params.yaml, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="results/{post}/claims.json")
    parser.add_argument("--out-tally", type=Path, help="results/{post}/tally.json: counts, for `dvc metrics`")


def main(args: argparse.Namespace) -> int:
    """Writes the records once every claim has its verdict.

    Raises ClaimError when a claim cannot be judged, UsageError when params or stages are no JSON object.
    """
    params, stages = (_json_object(getattr(args, name), name) for name in ("params", "stages"))
    post = document.read(args.claims, args.others)
    params = {post.post: params}
    with naming(file=args.claims):
        works = {path.stem: artefacts.read_work(path) for path in args.works}
        found = read_tables(post, args.schemas, args.tables, params)
        records = Judge(post, found, params, works, stages).records()
    files.write_json(args.out, records)
    if args.out_tally:
        files.write_json(args.out_tally, tally(records))
    return 0


def tally(records: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many claims there are, and how many have each verdict: what `dvc metrics` shows and compares."""
    verdicts = [record["verdict"] for record in records if record["kind"] == Kind.CLAIM]
    return {"claims": len(verdicts)} | {verdict.value: verdicts.count(verdict) for verdict in Verdict}


def _json_object(text: str, name: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--{name} is not JSON", value=text[:80]) from error
    if not isinstance(content, dict):
        raise UsageError(f"--{name} is not a JSON object", value=text[:80])
    return content


def read_tables(post: Document, schemas: list[Path], handed: list[Path], params: Mapping[str, Any]) -> dict[str, Table]:
    """The tables that the document names, by {post}/{table}, out of the files that the job was handed.

    Raises ClaimError when one was not handed, or twice, or is not as its schema says.
    """
    schema_files = {name: paths[0] for name, paths in _by_name(schemas, "schema", _schema_name).items()}
    table_files = _by_name(handed, "table", tables.name_of)
    found: dict[str, Table] = {}
    for value, source in post.values.items():
        if not isinstance(source, Selection) or source.table in found:
            continue
        stem = source.table.partition("/")[2]
        with naming(key=f"values.{value}", table=source.table):
            named = stem if stem.startswith("measured_") else source.table
            one_of(named, table_files, "table: the job was not handed it")
            schema = source.table if source.table in schema_files else f"{SHARED}/{stem}"
            one_of(schema, schema_files, "schema: the job was not handed it")
            columns = tables.read_schema(schema_files[schema])
            path = tables.path_of(source.table)
            found[source.table] = artefacts.read_table(path, table_files[named], columns, params)
    return found


def _schema_name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def _by_name(handed: Sequence[Path], kind: str, name: Callable[[Path], str]) -> dict[str, list[Path]]:
    """Files of one name: several of a measurement, else one."""
    by_name: dict[str, list[Path]] = {}
    for file in dict.fromkeys(handed):
        by_name.setdefault(name(file), []).append(file)
    for known, paths in by_name.items():
        if len(paths) > 1 and not known.startswith("measured_"):
            raise ClaimError(f"two {kind} files have this name", value=known, files=", ".join(map(str, paths)))
    return by_name


def judge(
    post: Document,
    found: Mapping[str, Table],
    params: Mapping[str, Any],
    works: Mapping[str, Work] | None = None,
    stages: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """One record per entry, in the document's order. Raises ClaimError naming the claim."""
    return Judge(post, found, params, works or {}, stages or {}).records()


class Judge:
    """What the claims of one document are judged with."""

    def __init__(self, post: Document, found: Mapping[str, Table], params, works: Mapping[str, Work], stages):
        self.post, self.tables, self.works, self.stages = post, found, works, stages

        @cache
        def value(name: str) -> Quantity:
            source = post.values[name]
            with naming(key=f"values.{name}"):
                if isinstance(source, Selection):
                    return artefacts.select(found[source.table], source)
                return artefacts.parameter(params, source) if isinstance(source, Parameter) else self._figure(source)

        self.value = value

    def _figure(self, wanted: Figure) -> Quantity:
        return artefacts.figure(self.works, wanted)

    def records(self) -> list[dict[str, Any]]:
        by_id: dict[str, dict[str, Any]] = {}
        for claim in sorted(self.post.claims, key=lambda claim: claim.repeats is not None):  # what is repeated first
            with naming(claim=claim.id):
                try:
                    by_id[claim.id] = self._repeat(claim, by_id) if claim.repeats else self._record(claim)
                except MissingRun as error:
                    by_id[claim.id] = self._without_its_run(claim, error.context["value"])
        for name in self.post.values:  # those that no claim uses have to be right as well
            self.value(name)
        return [by_id[claim.id] for claim in self.post.claims]

    def evaluate(self, wanted: expression.Expression) -> Quantity:
        return expression.evaluate(wanted, self.value, lambda name: self.post.posted[name].quantity())

    def _texts(self, claim: Claim) -> Callable[[str | None], str | None]:
        """Fills the computed numbers into a text of the claim."""
        numbers = {}
        for name, shown in claim.numbers.items():
            with naming(key=f"numbers.{name}"):
                got = self.evaluate(shown.got).in_unit(Unit.parse(shown.unit))
                if len(np.unique(got.data)) != 1:
                    raise ClaimError("a text shows one value", value=got.shape, allowed="min(...), max(...), mean(...)")
                value = float(got.data.flat[0])
                try:
                    numbers[name] = in_digits(value, shown.digits)
                except ValueError as error:
                    raise ClaimError("not a whole number", value=value, remedy="say how many digits") from error
        return lambda words: words if words is None else words.format_map(numbers)

    def _record(self, claim: Claim) -> dict[str, Any]:
        number, say = claim.number, self._texts(claim)
        record = {
            "id": claim.id,
            "kind": claim.kind.value,
            "post": self.post.post,
            "where": claim.where,
            "statement": say(claim.statement),
            "posted": None if claim.kind is Kind.FINDING else number.text if number else True,
            "unit": number.unit if number else None,
            "verdict": None,
            "got": None,
            "reason": None,
            "condition": None,
            "rule": None,
            "options": {},
            "expression": [],
            "needs": say(claim.needs),
            "note": say(claim.note),
            "severity": None,
            "artefact": None,
            "decided_by": None,
        }
        numbers = tuple(shown.got for shown in claim.numbers.values())
        if claim.kind is Kind.FINDING:
            return record | self._from(numbers)
        if claim.needs is not None:
            if claim.prediction:
                got = self.evaluate(claim.prediction)
                got = got.in_unit(Unit.parse(number.unit)) if number else got
                same = np.unique(got.data)
                record |= {"got": plain(same[0] if len(same) == 1 else got.data), "expression": [claim.prediction.text]}
                record |= self._from((claim.prediction,))
            return record | {"verdict": Verdict.NOT_CHECKED.value}
        if claim.readings:
            record |= self._decided(claim, say)
            record |= self._from([each for reading in claim.readings for each in reading.test.got], claim)
        if claim.rerun:
            rerun = self._test(claim.rerun, number)
            held = Verdict.NOT_REPRODUCED if claim.differs else Verdict.DOES_NOT_HOLD
            verdict = Verdict.REPRODUCED if rerun["holds"] else held
            rerun |= {"verdict": verdict.value, "differs": say(claim.differs) if not rerun["holds"] else None}
            rerun |= self._from(claim.rerun.got, claim)
            if claim.readings:
                record["rerun"] = rerun
            else:
                record |= {key: found for key, found in rerun.items() if key != "holds"}
        if claim.kind is Kind.SETTING:
            equal = record["verdict"] in (Verdict.HOLDS, Verdict.AS_IN_SOURCE)
            record["verdict"] = Verdict.HOLDS.value if equal else Verdict.NOT_CHECKED.value
            if record["verdict"] == Verdict.NOT_CHECKED:
                record["needs"] = f"runs with the post's setting, {number.text}; params.yaml has another"
        if record["verdict"] == Verdict.DOES_NOT_HOLD:
            record |= self._defence(claim, record, say)
        return record

    def _without_its_run(self, claim: Claim, seed: int) -> dict[str, Any]:
        """A record of what is not checked, as the params have no run of the seed that the claim speaks of."""
        shown = {name: "..." for name in claim.numbers}
        plain_claim = replace(
            claim, kind=Kind.FINDING, numbers={}, statement=claim.statement.format_map(shown), needs=None,
            note=None, readings=(), rerun=None, prediction=None,
        )  # fmt: skip
        record = self._record(plain_claim) | {"kind": claim.kind.value}
        if claim.kind is Kind.FINDING:
            return record
        needs = f"a run of seed {seed}, which params.yaml leaves out"
        posted = claim.number.text if claim.number else True
        return record | {"posted": posted, "verdict": Verdict.NOT_CHECKED.value, "needs": needs}

    def _decided(self, claim: Claim, say) -> dict[str, Any]:
        """By its readings: in all, in some, in none; undecided where one is and none holds."""
        tests = [self._test(reading.test, claim.number) for reading in claim.readings]
        conditions = [say(reading.condition) for reading in claim.readings]
        holding = [condition for condition, test in zip(conditions, tests, strict=True) if test["holds"]]
        all_hold = len(holding) == len(tests)
        if all_hold:
            verdict = Verdict.HOLDS_IF if conditions[0] and len(tests) == 1 else Verdict.HOLDS
        elif holding:
            verdict = Verdict.HOLDS_IF
        else:
            undecided = any(test["holds"] is None for test in tests)
            verdict = Verdict.UNDECIDED if undecided else Verdict.DOES_NOT_HOLD
        if verdict is Verdict.HOLDS and self._literature(claim):
            verdict = Verdict.AS_IN_SOURCE
        chosen = next((test for test in tests if test["holds"] and not all_hold), tests[0])
        shown = {key: chosen[key] for key in ("rule", "options", "expression", "decided_by", "got", "reason")}
        shown |= {"verdict": verdict.value}
        shown["condition"] = "; or: ".join(filter(None, holding)) or conditions[0]
        if chosen.get("spread"):
            shown["spread"] = chosen["spread"]
        shown["intervals"] = [level for test in tests for level in test["intervals"]]
        if len(tests) > 1:
            keys = ("rule", "got", "reason", "holds", "expression")
            shown["readings"] = [
                {"if": condition} | {key: test[key] for key in keys}
                for condition, test in zip(conditions, tests, strict=True)
            ]
        return shown

    def _test(self, test: Test, number: PostedNumber | None) -> dict[str, Any]:
        """What we get, whether it holds and why."""
        rule = RULES[test.rule]
        got = [self.evaluate(each) for each in test.got]
        shown: Any = None
        if rule.source == "claim":
            other = self.post.posted[test.options["claim"]]
            given: Any = other.value
            shown = other.text
        elif rule.source == "ascending":
            given = _beside(got)
            shown = [plain(each.data) for each in got]
        else:
            given = got[0].in_unit(Unit.parse(number.unit)) if number else got[0]
        outcome: Outcome = rule.decide(number.value if number else None, given, **test.options)
        if rule.source == "got":
            shown = plain(given.data.flat[0] if number else given.data)
        options = {key: option if isinstance(option, list) else str(option) for key, option in test.options.items()}
        found = {"rule": test.rule, "options": options, "expression": [each.text for each in test.got]}
        found |= {"decided_by": rule.code, "got": shown, "reason": outcome.reason, "holds": outcome.holds}
        found["intervals"] = self._levels(test)
        if outcome.spread:
            found |= {"spread": outcome.spread, "intervals": [*found["intervals"], outcome.spread["level"]]}
        return found

    def _levels(self, test: Test) -> list[float]:
        """The level of each interval of a table that the test looks at, once where it looks at both of its bounds."""
        levels: dict[tuple, list[float]] = {}
        for name in dict.fromkeys(name for each in test.got for name in each.values):
            source = self.post.values[name]
            column = self.tables[source.table].columns[source.column] if isinstance(source, Selection) else None
            if column is not None and column.level is not None:
                interval = source.column.removesuffix("_low").removesuffix("_high")
                key = (source.table, interval, str(source.where), source.checkpoint)
                levels[key] = [column.level] * self.value(name).data.size
        return [level for of_interval in levels.values() for level in of_interval]

    def _defence(self, claim: Claim, record: dict[str, Any], say) -> dict[str, Any]:
        """How much falls, what a second computation says, and what would hold. A second one that disagrees decides."""
        severity = claim.severity or severity_of(claim.number, record["got"])
        found: dict[str, Any] = {"severity": severity.value, "nearest": say(claim.nearest)}
        if claim.second is None:
            return found
        first = claim.readings[0].test if claim.readings else claim.rerun
        second = self._test(Test(first.rule, first.options, (claim.second,)), claim.number)
        found["second"] = {key: second[key] for key in ("expression", "got", "reason", "holds")}
        if second["holds"] is not False:
            reason = f"{record['reason']}; a second computation does not say so: {second['reason']}"
            return found | {"verdict": Verdict.UNDECIDED.value, "severity": None, "reason": reason}
        return found

    def _repeat(self, claim: Claim, by_id: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """The verdict of what it repeats; another number is a claim of its own that does not hold."""
        first = by_id[claim.repeats]
        record = self._record(Claim(claim.id, claim.where, claim.statement, claim.number, Kind.FINDING,
                                    numbers=claim.numbers, note=claim.note))  # fmt: skip
        record |= {"repeats": claim.repeats, "posted": claim.number.text if claim.number else True}
        record |= {"artefact": f"the post's number in {claim.repeats}", "evidence": [Evidence.POSTED_FIGURES.value]}
        if claim.number:
            test = Test("same_as", {"claim": claim.repeats}, ())
            other = self.post.posted[claim.repeats]
            factor = Unit.parse(other.unit).factor / Unit.parse(claim.number.unit).factor
            scaled = other.value * factor.numerator / factor.denominator
            outcome = RULES["same_as"].decide(claim.number.value, scaled, **test.options)
            if not outcome.holds:
                severity = severity_of(claim.number, float(scaled))
                return record | {"kind": Kind.CLAIM.value, "verdict": Verdict.DOES_NOT_HOLD.value, "got": other.text,
                                 "reason": outcome.reason, "rule": "same_as", "severity": severity.value,
                                 "decided_by": RULES["same_as"].code}  # fmt: skip
        inherited = ("verdict", "got", "reason", "condition", "needs", "severity", "evidence", "of")
        return record | {"kind": Kind.REPEAT.value} | {key: first.get(key) for key in inherited}

    def _literature(self, claim: Claim) -> bool:
        sources = [self.post.values[name] for each in claim.expressions for name in each.values]
        return bool(sources) and all(isinstance(source, Figure) for source in sources)

    def _from(self, expressions: Sequence[expression.Expression], claim: Claim | None = None) -> dict[str, Any]:
        """Evidence and what it is of; every cell, param and posted number in words; what makes the tables."""
        names = dict.fromkeys(name for each in expressions for name in each.values)
        sources = [self.post.values[name] for name in names]
        of_tables = dict.fromkeys(source.table for source in sources if isinstance(source, Selection))
        bases = [self.post.bases[table] for table in of_tables]
        kinds = [basis.evidence for basis in bases]
        kinds += [Evidence.PUBLIC for source in sources if isinstance(source, Figure)]
        claims = dict.fromkeys(name for each in expressions for name in each.claims)
        rules = [reading.test for reading in claim.readings] if claim else []
        claims |= dict.fromkeys(test.options["claim"] for test in rules if test.rule == "same_as")
        if not kinds:
            kinds = [Evidence.POSTED_FIGURES if claims or not expressions else Evidence.MATHEMATICS]
        words = [artefacts.in_words(source, self.tables, self.works) for source in sources]
        words += [f"the post's number in {name}" for name in claims]
        paths = [tables.path_of(table) for table in of_tables]
        return {
            "evidence": list(dict.fromkeys(kind.value for kind in kinds)),
            "of": "; ".join(dict.fromkeys(basis.of for basis in bases if basis.of)) or None,
            "artefact": "; ".join(dict.fromkeys(words)) or None,
            "stages": {path: self.stages.get(path) for path in paths},
        }


def severity_of(number: PostedNumber | None, got: Any) -> Severity:
    """Of a claim that does not hold: a slip where the number is off by little or by a unit's factor."""
    if number is None:
        return Severity.CONCLUSION
    posted = float(number.value)
    try:
        got = float(str(got).replace(",", ""))
    except ValueError:
        return Severity.NUMBER
    if not posted or not got or (posted < 0) != (got < 0):
        return Severity.SLIP if abs(posted - got) <= SLIP * max(abs(posted), abs(got)) else Severity.NUMBER
    ratio = max(got / posted, posted / got)
    of_unit = any(abs(ratio / factor - 1) <= OF_UNIT for factor in UNIT_FACTORS)
    return Severity.SLIP if ratio - 1 <= SLIP or of_unit else Severity.NUMBER


def _beside(got: list[Quantity]) -> list[Quantity]:
    """The quantities spread over the same axes, checked to have one unit."""
    for each in got[1:]:
        same_unit(got[0], each)
    arrays, axes, seeds = align(*got)
    return [Quantity(array, each.unit, axes, seeds) for array, each in zip(arrays, got, strict=True)]
