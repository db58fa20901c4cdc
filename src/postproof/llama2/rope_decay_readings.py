"""Ways to read "mean |q . k| over distance": which of them falls from about 0.07, and which falls at all.

Each reading is a curve over distances 0 .. T - 1, from the draws of rope_decay:

    mean_abs                 as posted: mean over the draws of |q . R(t) k|
    abs_mean                 |mean over the draws of q . R(t) k|
    one_draw                 |q . R(t) k| of the seed's first draw
    running_mean             mean over the draws of |mean over distances 0 .. t of q . R(.) k|
    rope_same                q . R(t) q: the key has the content of the query
    rope_same_scaled         the same over sqrt(d), as attention scales its scores
    roformer_bound           (1/P) sum_j |S_j(t)|, S_j = sum_{k<j} exp(i t theta_k): the bound that decays in Su et al.
                             2021 (eq. 37), scaled to start where mean_abs is expected to; it takes no draws
    sinusoidal_renormalised  as posted: encodings added to q and k, both renormalised
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from postproof.core import settings, tables
from postproof.llama2 import rope, rope_decay
from postproof.llama2.settings import RopeDecay


def add_arguments(parser) -> None:
    parser.add_argument("--settings", nargs="+", required=True, help="JSON of llama2.head and llama2.rope_decay")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per reading and seed")


def main(args) -> None:
    decay = settings.parse(RopeDecay, *args.settings)
    rows = [
        {"reading": reading, "seed": seed} | summary(curve_T)
        for seed in decay.seeds
        for reading, curve_T in readings(decay, seed).items()
    ]
    tables.write(args.out, pd.DataFrame(rows), "llama2/rope_decay_readings")


def readings(settings: RopeDecay, seed: int) -> dict[str, np.ndarray]:
    scores = rope_decay.all_scores(settings, seed)
    signed_NT = rope_decay.rotated_scores(*rope_decay.unit_vectors(settings, seed), settings)
    counts_T = np.arange(1, settings.distances + 1)
    start = rope_decay.expectation("rope_independent", settings)[0][0]
    bound_T = roformer_bound(settings)
    return {
        "mean_abs": scores["rope_independent"].mean(axis=0),
        "abs_mean": np.abs(signed_NT.mean(axis=0)),
        "one_draw": np.abs(signed_NT[0]),
        "running_mean": np.abs(signed_NT.cumsum(axis=1) / counts_T).mean(axis=0),
        "rope_same": scores["rope_same"].mean(axis=0),
        "rope_same_scaled": scores["rope_same"].mean(axis=0) / np.sqrt(settings.d_head),
        "roformer_bound": bound_T * start / bound_T[0],
        "sinusoidal_renormalised": scores["sinusoidal_renormalised"].mean(axis=0),
    }


def roformer_bound(settings: RopeDecay) -> np.ndarray:
    """(T,), unscaled."""
    theta_P = rope.frequencies(settings.d_head, settings.base)
    S_TP = np.exp(1j * np.arange(settings.distances)[:, None] * theta_P).cumsum(axis=1)
    return np.abs(S_TP).mean(axis=1)


def summary(curve_T: np.ndarray) -> dict[str, float]:
    """What the table says of one curve over distances 0 .. T - 1."""
    return {
        "first": curve_T[0],
        "last": curve_T[-1],
        "lowest": curve_T.min(),
        "highest": curve_T.max(),
        "rises": int((np.diff(curve_T) > 0).sum()),
        "rank_correlation": stats.spearmanr(np.arange(len(curve_T)), curve_T).statistic,
    }
