"""Judge a post's claims against its tables and params: one verdict each, into claims.json."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from postproof import files
from postproof.claims import Verdict, artefacts, document, expression
from postproof.claims.artefacts import Selection, Table
from postproof.claims.document import PERCENT, Claim, Document, Figure
from postproof.claims.quantity import Quantity, align, plain, same_unit, scalar
from postproof.claims.rules import CODE, RULES
from postproof.claims.strict import naming, one_of
from postproof.claims.units import ONE
from postproof.errors import ClaimError, UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--claims", type=Path, required=True, help="claims/{post}.yaml")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="claims of other posts, to compare with")
    parser.add_argument("--schemas", type=Path, nargs="*", default=[], help="workflow/schemas/tables/{table}.yaml")
    parser.add_argument("--tables", type=Path, nargs="*", default=[], help="the metrics tables that the claims name")
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
        tables = read_tables(post, args.schemas, args.tables, params)
        records = judge(post, tables, params)
    files.write_json(args.out, records)
    return 0


def read_tables(post: Document, schemas: list[Path], handed: list[Path], params: Mapping[str, Any]) -> dict[str, Table]:
    """The tables that the document names, found by their stem among the files that the job was handed."""
    tables = {}
    for name, source in post.tables.items():
        with naming(table=name):
            stems = {kind: [file.stem for file in found] for kind, found in (("schema", schemas), ("table", handed))}
            for kind, names in stems.items():
                one_of(name, names, f"{kind}: the job was not handed it")
                if names.count(name) > 1:
                    raise ClaimError(f"two {kind} files have this name")
            units = artefacts.read_schema(schemas[stems["schema"].index(name)])
            seeds = None if source.seeds is None else artefacts.seeds_at(params, source.seeds)
            tables[name] = artefacts.read_table(source.path, handed[stems["table"].index(name)], units, seeds)
    return tables


def judge(post: Document, tables: Mapping[str, Table], params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One record per claim, in the document's order. Raises ClaimError naming the claim."""

    @cache
    def value(name: str) -> Quantity:
        source = post.values[name]
        with naming(key=f"values.{name}"):
            if isinstance(source, Selection):
                return artefacts.select(tables[source.table], source)
            return artefacts.parameter(params, source)

    def posted(name: str) -> Quantity:
        figure = post.figures[name]
        return scalar(float(figure.value) / (100 if figure.unit == PERCENT else 1), figure.dimension())

    records = []
    for claim in post.claims:
        with naming(claim=claim.id):
            got = [expression.evaluate(each, value, posted) for each in claim.got]
            records.append(_record(post, tables, claim, got))
    for name in post.values:  # those that no claim uses have to be right as well
        value(name)
    return records


def _record(post: Document, tables: Mapping[str, Table], claim: Claim, got: list[Quantity]) -> dict[str, Any]:
    figure = claim.figure
    record = {
        "id": claim.id,
        "post": post.post,
        "where": claim.where,
        "statement": claim.statement,
        "posted": figure.text if figure else True,
        "got": None,
        "unit": figure.unit if figure else None,
        "rule": claim.rule,
        "options": {key: option if isinstance(option, list) else str(option) for key, option in claim.options.items()},
        "verdict": Verdict.NOT_CHECKED.value,
        "condition": claim.condition,
        "reason": None,
        "needs": claim.needs,
        "expression": [each.text for each in claim.got],
        "artefact": _artefacts(post, tables, claim),
        "decided_by": CODE if claim.rule else None,
        "note": claim.note,
    }
    if claim.rule is None:
        return record
    source = RULES[claim.rule].source
    if source == "claim":
        other = post.figures[claim.options["claim"]]
        given: Any = other.value
        record["got"] = other.text
    elif source == "ascending":
        given = _beside(got)
        record["got"] = [plain(each.data) for each in got]
    else:
        given = _in_unit(got[0], figure) if figure else got[0]
    outcome = RULES[claim.rule].decide(figure.value if figure else None, given, **claim.options)
    if outcome.holds is None:
        return record | {"needs": outcome.reason}
    held = Verdict.HOLDS_IF if claim.condition else Verdict.HOLDS
    record["verdict"] = (held if outcome.holds else Verdict.DOES_NOT_HOLD).value
    record["reason"] = outcome.reason
    if source == "got":
        # Only the spread looks at runs that differ: under any other rule for a figure one value stands for all.
        record["got"] = plain(given.data.flat[0] if figure and not outcome.spread else given.data)
    return record | ({"spread": outcome.spread} if outcome.spread else {})


def _in_unit(got: Quantity, figure: Figure) -> Quantity:
    """What we get, in the figure's unit. Only `%` converts; any other difference is a slip in the claim."""
    if got.number().unit != figure.dimension():
        raise ClaimError("what we get has another unit than the claim", value=got.unit, allowed=figure.unit)
    return replace(got, data=got.data * 100, unit=ONE) if figure.unit == PERCENT else got


def _beside(got: list[Quantity]) -> list[Quantity]:
    """The quantities spread over the same axes, checked to have one unit."""
    for each in got[1:]:
        same_unit(got[0], each)
    arrays, axes, seeds = align(*got)
    return [Quantity(array, each.unit, axes, seeds) for array, each in zip(arrays, got, strict=True)]


def _artefacts(post: Document, tables: Mapping[str, Table], claim: Claim) -> str | None:
    """Every cell, param and posted figure that decides the claim, in words."""
    values = [artefacts.in_words(post.values[name], tables) for each in claim.got for name in each.values]
    claims = [name for each in claim.got for name in each.claims]
    claims += [claim.options["claim"]] if claim.rule == "same_as" else []
    words = values + [f"the post's figure in {name}" for name in claims]
    return "; ".join(dict.fromkeys(words)) or None
