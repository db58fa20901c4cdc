"""Early layers against late ones: differences with intervals over sentences, whether each step falls, and rank.

Shapes: S sentences, L layers, D bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from postproof.attention import head_results
from postproof.attention.head_classes import HeadSettings
from postproof.attention.head_results import PADDING, PROTOCOLS, Bootstrap, HeadResults, interval
from postproof.attention.head_statistics import STATISTICS

IN_NATS = ("entropy", "entropy_from_real_rows", "entropy_from_padding_rows")


def rows(run: HeadResults, settings: HeadSettings, draws: Bootstrap, in_nats: bool) -> Iterator[dict]:
    """A row per protocol, measure and split, of the measures in nats or of those that are shares.

    Besides the four statistics, entropy_from_real_rows and entropy_from_padding_rows are what each kind of rows adds to
    the mean over all rows: their differences sum to that of entropy. content_distance is of real tokens.
    """
    for protocol in PROTOCOLS:
        for measure, values_SL in measures(run, protocol).items():
            if in_nats == (measure in IN_NATS):
                yield from compare(run.model, protocol, measure, values_SL, settings, draws)


def measures(run: HeadResults, protocol: str) -> dict[str, np.ndarray]:
    """Means over the heads of each layer, (S, L), by name."""
    found = {name: run.statistic(protocol, name).mean(axis=2) for name in STATISTICS}
    if protocol in PADDING:
        parts = head_results.entropy_parts(run, protocol)
        return found | {f"entropy_from_{group}_rows": part_SL for group, part_SL in parts.items()}
    return found | {"content_distance": run.statistics["content_distance"].mean(axis=2)}


def splits(layers: int, at_each_end: int) -> dict[str, tuple[range, range]]:
    """Early and late layers by name; as_posted needs twice as many layers as it takes at one end."""
    third = max(1, layers // 3)
    found = {"thirds": (range(third), range(layers - third, layers))} if layers > 1 else {}
    if layers >= 2 * at_each_end:
        found["as_posted"] = (range(at_each_end), range(layers - at_each_end, layers))
    return found


def compare(model, protocol, measure, values_SL, settings: HeadSettings, draws: Bootstrap) -> Iterator[dict]:
    layers = values_SL.shape[1]
    mean_L, mean_DL = values_SL.mean(axis=0), draws.means(values_SL)
    steps_L, steps_DL = np.diff(mean_L), np.diff(mean_DL, axis=1)
    correlation_D = np.array([rank_correlation(draw_L) for draw_L in mean_DL])
    rank_low, rank_high = interval(correlation_D)
    for split, (early, late) in splits(layers, settings.layers_at_each_end).items():
        ends = {"early": mean_L[early].mean(), "late": mean_L[late].mean()}
        low, high = interval(mean_DL[:, late].mean(axis=1) - mean_DL[:, early].mean(axis=1))
        yield {
            "model": model, "protocol": protocol, "measure": measure, "split": split,
            "early_layers": f"{early[0]} to {early[-1]}", "late_layers": f"{late[0]} to {late[-1]}", **ends,
            "difference": ends["late"] - ends["early"], "difference_low": low, "difference_high": high,
            "early_over_late": ends["early"] / ends["late"] if ends["late"] > 0 else None,
            "falling_steps": int((steps_L < 0).sum()), "steps": layers - 1,
            "direction": "falls" if (steps_L < 0).all() else "rises" if (steps_L > 0).all() else "neither",
            "monotonic_draws_share": ((steps_DL < 0).all(axis=1) | (steps_DL > 0).all(axis=1)).mean(),
            "rank_correlation": rank_correlation(mean_L), "rank_correlation_low": rank_low,
            "rank_correlation_high": rank_high,
        }  # fmt: skip


def rank_correlation(values_L: np.ndarray) -> float:
    """Spearman's, of a value with its layer: -1 when each layer is below the one before. 0 when all are equal."""
    ranks_L, layers_L = stats.rankdata(values_L), np.arange(len(values_L), dtype=float)
    ranks_L, layers_L = ranks_L - ranks_L.mean(), layers_L - layers_L.mean()
    spread = np.sqrt((ranks_L**2).sum() * (layers_L**2).sum())
    return float((ranks_L * layers_L).sum() / spread) if spread > 0 else 0.0
