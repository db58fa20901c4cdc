"""Which claims speak of which values of a chart: by the cells that decide a claim, and by the number that it posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from postproof.claims import Kind, Verdict, show
from postproof.claims.artefacts import Selection
from postproof.claims.document import Claim, Document
from postproof.core import tables
from postproof.interactive.twin import Series, Twin

Record = Mapping[str, Any]


def told(twin: Twin, post: Document, records: Sequence[Record]) -> tuple[dict[tuple[int, int], str], list[Record]]:
    """What is told of each value, by number of the series and of the row in it; and the claims on what is drawn.

    A claim is told at a value when a cell that decides it is that value, one for each run; at what the post shows in
    the same place when that is the very number that the claim posts; and where a posted table names the claim itself.
    """
    by_id = {record["id"]: record for record in records if record["kind"] == Kind.CLAIM}
    found: dict[tuple[int, int], dict[str, Record]] = {}
    about: dict[str, Record] = {}
    for claim in post.claims:
        if claim.id not in by_id:
            continue
        record = by_id[claim.id]
        places = set()
        for selection in selections(claim, post):
            for number, series in enumerate(twin.series):
                if selection.table != series.table or selection.column != series.column:
                    continue
                about[claim.id] = record
                rows = selected(series, selection)
                if len(series.rows.iloc[rows].drop_duplicates([series.x, series.y])) == 1:
                    places |= {(number, row) for row in rows}
        for place in places | _posted(twin, claim, places) | _named(twin, claim):
            found.setdefault(place, {})[claim.id] = record
    words = {place: " ".join(sentence(record) for record in claims.values()) for place, claims in found.items()}
    return words, list(about.values())


def selections(claim: Claim, post: Document) -> list[Selection]:
    """The cells that decide it, or from which what is not checked is predicted."""
    expressions = [*claim.expressions, *([claim.prediction] if claim.prediction else [])]
    names = dict.fromkeys(name for each in expressions for name in each.values)
    return [post.values[name] for name in names if isinstance(post.values[name], Selection)]


def selected(series: Series, selection: Selection) -> list[int]:
    """The rows of the series that the selection means: all that its labels allow, or one checkpoint of each run."""
    fits = np.ones(len(series.rows), dtype=bool)
    for label, wanted in selection.where.items():
        if label in series.rows:
            fits &= (series.rows[label].astype(str) == wanted).to_numpy()
    rows = np.flatnonzero(fits)
    columns = tables.schema(series.table).values()
    checkpoint = next((column.name for column in columns if column.checkpoint), None)
    if selection.checkpoint is None or checkpoint is None:
        return rows.tolist()
    chosen = pd.DataFrame({"row": rows, "of": series.rows[checkpoint].to_numpy()[rows]})
    chosen["run"] = series.rows[series.run].to_numpy()[rows] if series.run else 0
    runs = [run.sort_values("of")["row"].tolist() for _, run in chosen.groupby("run")]
    at = selection.checkpoint
    return sorted(run[at] for run in runs if -len(run) <= at < len(run))


def _posted(twin: Twin, claim: Claim, places: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Where the post's own marks show the number of the claim, at the x of a place that it speaks of."""
    if claim.number is None:
        return set()
    value = float(claim.number.value)
    every = twin.series
    at = {every[number].rows[every[number].x].iloc[row] for number, row in places}
    return {
        (number, row)
        for number, series in enumerate(every)
        if series.is_posted
        for row, (x, y) in enumerate(zip(series.rows[series.x], series.shown(series.column)))
        if y == value and x in at
    }


def _named(twin: Twin, claim: Claim) -> set[tuple[int, int]]:
    """Rows of a posted table whose column `claim` has the claim's id."""
    return {
        (number, row)
        for number, series in enumerate(twin.series)
        if "claim" in series.rows
        for row in np.flatnonzero(series.rows["claim"] == claim.id).tolist()
    }


def sentence(record: Record) -> str:
    """The claim, what the post says, and the verdict."""
    says = "" if record["posted"] is True else f" The post: {show.said(record)}."
    return f"{record['statement']}{says} Verdict: {verdict(record)}."


def verdict(record: Record) -> str:
    """With the reading under which it holds, and what the post's run, made again, says beside it."""
    condition = f" {record['condition']}" if record["verdict"] == Verdict.HOLDS_IF else ""
    again = f", made again: {record['rerun']['verdict']}" if record.get("rerun") else ""
    return f"{show.verdict(record)}{condition}{again}"
