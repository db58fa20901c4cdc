"""Judge a post's claims against its tables and params: one verdict each, into claims.json."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from postproof.claims import Verdict, artefacts, document, expression
from postproof.claims.artefacts import Selection, Table
from postproof.claims.document import Claim, Document
from postproof.claims.quantity import Quantity, align, plain, same_unit
from postproof.claims.rules import RULES
from postproof.claims.strict import naming, one_of
from postproof.core import files, tables
from postproof.core.errors import ClaimError, UsageError
from postproof.core.units import Unit

PUBLISHED = "published"  # schemas of tables that several posts have


def add_arguments(parser: argparse.ArgumentParser) -> None:
    files_of = {"type": Path, "nargs": "*", "default": []}
    parser.add_argument("--claims", type=Path, required=True, help="claims/{post}.yaml")
    parser.add_argument("--others", **files_of, help="claims of the posts that these name")
    parser.add_argument("--schemas", **files_of, help=".../{post}/{table}.yaml or .../published/{table}.yaml")
    parser.add_argument("--tables", **files_of, help=".../{post}/metrics/{table}.csv, those that the claims name")
    parser.add_argument("--params", default="{}", help="the post's section of params.yaml, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="results/{post}/claims.json")


def main(args: argparse.Namespace) -> int:
    """Writes the records once every claim has its verdict.

    Raises ClaimError when a claim cannot be judged, UsageError when the params are no JSON object.
    """
    try:
        params = json.loads(args.params)
    except ValueError as error:
        raise UsageError("--params is not JSON", value=args.params[:80]) from error
    if not isinstance(params, dict):
        raise UsageError("--params is not a JSON object", value=args.params[:80])
    post = document.read(args.claims, args.others)
    params = {post.post: params}
    with naming(file=args.claims):
        records = judge(post, read_tables(post, args.schemas, args.tables, params), params)
    files.write_json(args.out, records)
    return 0


def read_tables(post: Document, schemas: list[Path], handed: list[Path], params: Mapping[str, Any]) -> dict[str, Table]:
    """The tables that the document names, by {post}/{table}, out of the files that the job was handed.

    Raises ClaimError when one was not handed, or twice, or is not as its schema says.
    """
    schema_files = _by_name(schemas, lambda file: f"{file.parent.name}/{file.stem}", "schema")
    table_files = _by_name(handed, lambda file: f"{file.parent.parent.name}/{file.stem}", "table")
    found: dict[str, Table] = {}
    for value, source in post.values.items():
        if not isinstance(source, Selection) or source.table in found:
            continue
        of, stem = source.table.split("/")
        with naming(key=f"values.{value}", table=source.table):
            one_of(source.table, table_files, "table: the job was not handed it")
            schema = source.table if source.table in schema_files else f"{PUBLISHED}/{stem}"
            one_of(schema, schema_files, "schema: the job was not handed it")
            columns = tables.read_schema(schema_files[schema])
            path = f"results/{of}/metrics/{stem}.csv"
            found[source.table] = artefacts.read_table(path, table_files[source.table], columns, params)
    return found


def _by_name(handed: list[Path], name: Callable[[Path], str], kind: str) -> dict[str, Path]:
    by_name: dict[str, Path] = {}
    for file in handed:
        known = by_name.setdefault(name(file), file)
        if known != file:
            raise ClaimError(f"two {kind} files have this name", value=name(file), files=f"{known}, {file}")
    return by_name


def judge(post: Document, found: Mapping[str, Table], params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One record per claim, in the document's order. Raises ClaimError naming the claim."""

    @cache
    def value(name: str) -> Quantity:
        source = post.values[name]
        with naming(key=f"values.{name}"):
            if isinstance(source, Selection):
                return artefacts.select(found[source.table], source)
            return artefacts.parameter(params, source)

    def posted(name: str) -> Quantity:
        return post.posted[name].quantity()

    records = []
    for claim in post.claims:
        with naming(claim=claim.id):
            got = [expression.evaluate(each, value, posted) for each in claim.got]
            records.append(_record(post, found, claim, got))
    for name in post.values:  # those that no claim uses have to be right as well
        value(name)
    return records


def _record(post: Document, found: Mapping[str, Table], claim: Claim, got: list[Quantity]) -> dict[str, Any]:
    number = claim.number
    record = {
        "id": claim.id,
        "post": post.post,
        "where": claim.where,
        "statement": claim.statement,
        "posted": number.text if number else True,
        "got": None,
        "unit": number.unit if number else None,
        "rule": claim.rule,
        "options": {key: option if isinstance(option, list) else str(option) for key, option in claim.options.items()},
        "verdict": Verdict.NOT_CHECKED.value,
        "condition": claim.condition,
        "reason": None,
        "needs": claim.needs,
        "expression": [each.text for each in claim.got],
        "artefact": _artefacts(post, found, claim),
        "decided_by": RULES[claim.rule].code if claim.rule else None,
        "note": claim.note,
    }
    if claim.rule is None:
        return record
    source = RULES[claim.rule].source
    if source == "claim":
        other = post.posted[claim.options["claim"]]
        given: Any = other.value
        record["got"] = other.text
    elif source == "ascending":
        given = _beside(got)
        record["got"] = [plain(each.data) for each in got]
    else:
        given = got[0].in_unit(Unit.parse(number.unit)) if number else got[0]
    outcome = RULES[claim.rule].decide(number.value if number else None, given, **claim.options)
    if outcome.holds is None:
        return record | {"needs": outcome.reason}
    held = Verdict.HOLDS_IF if claim.condition else Verdict.HOLDS
    record["verdict"] = (held if outcome.holds else Verdict.DOES_NOT_HOLD).value
    record["reason"] = outcome.reason
    if source == "got":
        # Only the spread looks at runs that differ: under any other rule for a number one value stands for all.
        record["got"] = plain(given.data.flat[0] if number and not outcome.spread else given.data)
    return record | ({"spread": outcome.spread} if outcome.spread else {})


def _beside(got: list[Quantity]) -> list[Quantity]:
    """The quantities spread over the same axes, checked to have one unit."""
    for each in got[1:]:
        same_unit(got[0], each)
    arrays, axes, seeds = align(*got)
    return [Quantity(array, each.unit, axes, seeds) for array, each in zip(arrays, got, strict=True)]


def _artefacts(post: Document, found: Mapping[str, Table], claim: Claim) -> str | None:
    """Every cell, param and posted number that decides the claim, in words."""
    values = [artefacts.in_words(post.values[name], found) for each in claim.got for name in each.values]
    claims = [name for each in claim.got for name in each.claims]
    claims += [claim.options["claim"]] if claim.rule == "same_as" else []
    words = values + [f"the post's number in {name}" for name in claims]
    return "; ".join(dict.fromkeys(words)) or None
