"""What the auxiliary loss costs in validation perplexity at the last checkpoint: with it minus without it.

The difference is taken within each seed; of its mean the 95 % interval is by Student's t. Measured on the post's text
with its draws, as posted on windows drawn anew and on the whole validation split, and on the text of params.yaml, with
one loss over the rows of all layers as posted and with a loss of each layer. The post shows one difference, of its own
runs: it stands with the measure that is like it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import tables

VALIDATED = {"anew": "val_perplexity", "whole": "val_perplexity_fixed_windows"}
# Text, protocol of table router_balance, validation; the first is the post's own.
MEASURES = (
    ("posted", "as_run", "anew"),
    ("posted", "as_run", "whole"),
    ("params", "paired", "whole"),
    ("params", "by_layer", "whole"),
)
KEY = ["text", "protocol", "validated"]
CONFIDENCE = 0.95


def add_arguments(parser) -> None:
    parser.add_argument("--as-run", type=Path, required=True, help="table router_balance_as_run: the post's text")
    parser.add_argument("--balance", type=Path, required=True, help="table router_balance: the text of params.yaml")
    parser.add_argument("--posted", type=Path, required=True, help="posted table of the routers")
    parser.add_argument("--out", type=Path, required=True, help="CSV, a row per measure")
    parser.add_argument("--out-seeds", type=Path, required=True, help="CSV, a row per measure and seed")


def main(args) -> None:
    texts = {
        "posted": tables.read(args.as_run, "mixtral/router_balance_as_run"),
        "params": tables.read(args.balance, "mixtral/router_balance"),
    }
    posted = posted_difference(tables.read(args.posted, "mixtral/posted_router_balance"))
    seeds = by_seed(texts)
    tables.write(args.out_seeds, seeds, "mixtral/router_quality_by_seed")
    tables.write(args.out, over_seeds(seeds, posted), "mixtral/router_quality")


def by_seed(texts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row per measure and seed, in the order of MEASURES."""
    parts = []
    for text, protocol, validated in MEASURES:
        of = differences(texts[text], protocol, VALIDATED[validated])
        labels = pd.DataFrame({"text": text, "protocol": protocol, "validated": validated, "seed": of.index})
        parts.append(labels.assign(difference=of.to_numpy()))
    return pd.concat(parts, ignore_index=True)


def differences(balance: pd.DataFrame, protocol: str, column: str) -> pd.Series:
    """With the auxiliary loss minus without at the last checkpoint, by seed."""
    last = balance[(balance["step"] == balance["step"].max()) & (balance["protocol"] == protocol)]
    arms = last.pivot(index="seed", columns="arm", values=column)
    return arms["with_aux"] - arms["no_aux"]


def posted_difference(posted: pd.DataFrame) -> float:
    ends = posted.groupby("run")["val_perplexity"].last()
    return float(ends["with_aux"] - ends["no_aux"])


def over_seeds(seeds: pd.DataFrame, posted: float) -> pd.DataFrame:
    """A row per measure: the mean and its interval, which one seed has not; what the post shows, with the first."""
    rows = []
    for measure, of_measure in seeds.groupby(KEY, sort=False):
        values = of_measure["difference"]
        low, high = interval(values)
        row = dict(zip(KEY, measure)) | {"seeds": len(values), "difference_mean": values.mean()}
        row |= {"difference_low": low, "difference_high": high}
        rows.append(row | {"posted_difference": posted if measure == MEASURES[0] else np.nan})
    return pd.DataFrame(rows)


def interval(values: pd.Series) -> tuple[float, float]:
    """Of the mean, by Student's t; NaN for one seed."""
    from scipy import stats

    n = len(values)
    if n == 1:
        return np.nan, np.nan
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return values.mean() - reach, values.mean() + reach
