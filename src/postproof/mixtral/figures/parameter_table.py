"""What the charts of parameters share: the table, after a look at what it must add up to."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from postproof.core import tables
from postproof.core.errors import ArtefactError

MODEL = "mixtral_8x7b"
COUNTS = ["total", "active", "with_one_expert"]


def read(path: Path) -> pd.DataFrame:
    """Parameters with rows (model, term).

    Raises ArtefactError when the table is not of its schema, lacks a model, or breaks an identity.
    """
    table = tables.read(path, "mixtral/parameters")
    sums = [*COUNTS, "bytes_16bit"]
    for model in (MODEL, "race_dense", "race_moe"):
        rows = table[table["model"] == model].set_index("term")
        if "all" not in rows.index or not rows.index.is_unique:
            raise ArtefactError("table lacks the sum of a model, or has a term twice", file=path, model=model)
        terms = rows.drop(index="all")
        shared = terms[terms["group"] == "shared"]
        identities = {
            "term all is the sum of the terms": (terms[sums].sum() == rows.loc["all", sums]).all(),
            "what is shared works for every token": (shared["total"] == shared["active"]).all(),
            "no more parameters work than there are": (terms["active"] <= terms["total"]).all(),
        }
        tables.must_hold(path, {f"{model}: {identity}": holds for identity, holds in identities.items()})
    return table.set_index(["model", "term"])
