"""What no head can exceed, given how long the sentences are: so which posted thresholds can be reached at all.

A row that sees k keys has an entropy of ln k at most. Means over the rows of a sentence of n tokens in T positions:

    real_tokens    ln(n!) / n
    as_posted      (ln(n!) + (T - n) ln n) / T      padding sees the n real keys; of that, ln(n!) / T from real rows
    padding_seen   ln(T!) / T                       whatever n; of that, ln(n!) / T from real rows

The rest comes from padding rows, which differ between sentences by what they see only: their queries are one token.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from postproof.attention.heads import classes
from postproof.attention.heads.results import PROTOCOLS, HeadResults
from postproof.attention.settings import HeadSettings


def of_model(run: HeadResults, section: HeadSettings) -> Iterator[dict]:
    """A row per protocol, means over the sentences."""
    T, n_S = run.positions, run.lengths_S
    for protocol in PROTOCOLS:
        limits = {name: value_S.mean() for name, value_S in run.uniform(protocol).items()}
        thresholds = classes.reachable(section, run, protocol)
        real_part = real_entropy_sum(n_S, T).mean() / T if protocol != "real_tokens" else limits["entropy"]
        of_uniform = classes.posted(section).classes(np.array(limits["diagonal"]), np.array(limits["entropy"]))
        yield {
            "model": run.model, "protocol": protocol, "sentences": len(n_S),
            "tokens_mean": n_S.mean(), "tokens_min": int(n_S.min()), "tokens_max": int(n_S.max()),
            "padding_rows_share": 0.0 if protocol == "real_tokens" else run.padding_part_S("entropy").mean(),
            "entropy_limit": limits["entropy"],
            "entropy_limit_longest": run.uniform(protocol)["entropy"].max(),
            "entropy_limit_real_part": real_part, "entropy_limit_padding_part": limits["entropy"] - real_part,
            "diagonal_uniform": limits["diagonal"], "diagonal_limit": limits["diagonal_limit"],
            "local_can_be_reached": yes(limits["diagonal_limit"] > section.local_above),
            "broad_can_be_reached": yes(limits["entropy"] > section.broad_above),
            "class_of_uniform": str(of_uniform),
            "reachable_local_above": thresholds.local_above,
            "reachable_copy_below_share": thresholds.copy_below, "reachable_broad_above_share": thresholds.broad_above,
        }  # fmt: skip


def real_entropy_sum(lengths_N: np.ndarray, positions: int) -> np.ndarray:
    """ln(n!), the largest entropies of the real rows summed."""
    return np.cumsum(np.log(np.arange(1, positions + 1)))[lengths_N - 1]


def yes(condition: bool) -> str:
    return "yes" if condition else "no"
