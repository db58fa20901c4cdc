"""Early layers against late ones: differences with intervals over sentences, whether each step falls, and rank.

Shapes: S sentences, L layers, D bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from postproof.attention.heads import results
from postproof.attention.heads.results import PADDING, PROTOCOLS, Bootstrap, HeadResults, interval
from postproof.attention.heads.row_statistics import STATISTICS
from postproof.attention.settings import HeadSettings

IN_NATS = ("entropy", "entropy_from_real_rows", "entropy_from_padding_rows")


def rows(run: HeadResults, section: HeadSettings, draws: Bootstrap, in_nats: bool) -> Iterator[dict]:
    """A row per protocol, measure and split, of the measures in nats or of those that are shares. Of shares the ends
    alone: it is of entropy that the post says how many times it falls, and that it falls at every step.

    Besides the four statistics, entropy_from_real_rows and entropy_from_padding_rows are what each kind of rows adds to
    the mean over all rows: their differences sum to that of entropy. content_distance is of real tokens.
    """
    for protocol in PROTOCOLS:
        for measure, values_SL in measures(run, protocol).items():
            if in_nats != (measure in IN_NATS):
                continue
            labels = {"model": run.model, "protocol": protocol, "measure": measure}
            steps = by_step(values_SL, draws) if in_nats else {}
            for ends in compare(values_SL, section, draws):
                ratio = {"early_over_late": ends["early"] / ends["late"] if ends["late"] > 0 else None}
                yield labels | ends | (ratio | steps if in_nats else {})


def measures(run: HeadResults, protocol: str) -> dict[str, np.ndarray]:
    """Means over the heads of each layer, (S, L), by name."""
    found = {name: run.statistic(protocol, name).mean(axis=2) for name in STATISTICS}
    if protocol in PADDING:
        parts = results.entropy_parts(run, protocol)
        return found | {f"entropy_from_{group}_rows": part_SL for group, part_SL in parts.items()}
    return found | {"content_distance": run.statistics["content_distance"].mean(axis=2)}


def splits(layers: int, at_each_end: int) -> dict[str, tuple[range, range]]:
    """Early and late layers by name; as_posted needs twice as many layers as it takes at one end."""
    third = max(1, layers // 3)
    found = {"thirds": (range(third), range(layers - third, layers))} if layers > 1 else {}
    if layers >= 2 * at_each_end:
        found["as_posted"] = (range(at_each_end), range(layers - at_each_end, layers))
    return found


def compare(values_SL: np.ndarray, section: HeadSettings, draws: Bootstrap) -> Iterator[dict]:
    """The two ends of each split."""
    mean_L, mean_DL = values_SL.mean(axis=0), draws.means(values_SL)
    for split, (early, late) in splits(values_SL.shape[1], section.layers_at_each_end).items():
        ends = {"early": mean_L[early].mean(), "late": mean_L[late].mean()}
        low, high = interval(mean_DL[:, late].mean(axis=1) - mean_DL[:, early].mean(axis=1))
        yield {
            "split": split,
            "early_layers": f"{early[0]} to {early[-1]}", "late_layers": f"{late[0]} to {late[-1]}", **ends,
            "difference": ends["late"] - ends["early"], "difference_low": low, "difference_high": high,
        }  # fmt: skip


def by_step(values_SL: np.ndarray, draws: Bootstrap) -> dict:
    """How the measure goes from layer to layer, which no split changes."""
    mean_L, mean_DL = values_SL.mean(axis=0), draws.means(values_SL)
    steps_L, steps_DL = np.diff(mean_L), np.diff(mean_DL, axis=1)
    rank_low, rank_high = interval(rank_correlation(mean_DL))
    return {
        "falling_steps": int((steps_L < 0).sum()), "steps": len(steps_L),
        "direction": "falls" if (steps_L < 0).all() else "rises" if (steps_L > 0).all() else "neither",
        "monotonic_draws_share": ((steps_DL < 0).all(axis=1) | (steps_DL > 0).all(axis=1)).mean(),
        "rank_correlation": rank_correlation(mean_L[None])[0], "rank_correlation_low": rank_low,
        "rank_correlation_high": rank_high,
    }  # fmt: skip


def rank_correlation(values_DL: np.ndarray) -> np.ndarray:
    """Spearman's, of each row's values with the numbers of their layers, (D,): -1 when each is below the one before.

    0 for a row of equal values, of which it is not defined.
    """
    found_D = np.zeros(len(values_DL))
    differ_D = (values_DL != values_DL[:, :1]).any(axis=1)
    if differ_D.any():
        layers_1L = np.arange(values_DL.shape[1])[None]
        found_D[differ_D] = stats.spearmanrho(values_DL[differ_D], layers_1L, axis=1).statistic
    return found_D
