"""Mean score of random unit vectors against their distance, rotated or with sinusoids added, and what it must be.

Shapes: N draws of q and k, T distances, D = d features, P = D/2 pairs. q stands at position 0, k at position t.

    rope_independent        |q . R(t) k|
    rope_same               q . R(t) q: the key has the content of the query
    sinusoidal_renormalised |q~ . k~|, q~ = (q + PE_0) / |q + PE_0|, k~ = (k + PE_t) / |k + PE_t|
    sinusoidal_added        |(q + PE_0) . (k + PE_t)|

Let C(t) = (1/P) sum_k cos(t theta_k), so that PE_0 . PE_t = P C(t) (Vaswani et al. 2017, section 3.5; |PE_t|^2 = P).

rope_independent: R(t) k is distributed as k, so q . R(t) k is one coordinate of a uniform unit vector at every t:
    E|u_1| = Gamma(D/2) / (sqrt(pi) Gamma((D+1)/2)),  E u_1^2 = 1/D.  Constant in t.
rope_same: the squared norms of q's pairs are Dirichlet(1, ..., 1), whatever t:
    E = C(t),  Var = (mean_k cos^2(t theta_k) - C(t)^2) / (P + 1).
sinusoidal_added: E = P C(t), Var = 1/D + 2P/D, as long as P C(t) > 1 + 2 sqrt(P), where no score is negative.
sinusoidal_renormalised: with x = q~ . PE_0 / |PE_0|, q~ has E q~ = E[x] PE_0 / |PE_0| and, by symmetry about PE_0,
    E q~ q~^T = B I + (A - B) PE_0 PE_0^T / P,  A = E x^2,  B = (1 - A) / (D - 1), so
    E = E[x]^2 C(t),  E(.)^2 = B^2 D + 2 B (A - B) + (A - B)^2 C(t)^2; the same signs.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.core.errors import ParamsError
from postproof.llama2 import rope
from postproof.llama2.settings import RopeDecay
from postproof.llama2.sinusoidal import encoding

CURVES = ("rope_independent", "rope_same", "sinusoidal_renormalised", "sinusoidal_added")


def add_arguments(parser) -> None:
    parser.add_argument("--settings", nargs="+", required=True, help="JSON of llama2.head and llama2.rope_decay")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per curve, seed and distance")


def main(args) -> None:
    table = curves(settings.parse(RopeDecay, *args.settings))
    tables.write(args.out, table, "llama2/rope_decay")


def curves(settings: RopeDecay) -> pd.DataFrame:
    """Of all seeds: each curve over the distances, in order, beside what it is expected to be."""
    expected = {curve: expectation(curve, settings) for curve in CURVES}
    parts = []
    for seed in settings.seeds:
        for curve, scores_NT in all_scores(settings, seed).items():
            mean_T, sd_T = expected[curve]
            columns = {"curve": curve, "seed": seed, "distance": np.arange(settings.distances)}
            columns |= {"draws": settings.draws}
            columns |= {"score": scores_NT.mean(axis=0), "expected": mean_T}
            parts.append(pd.DataFrame(columns | {"expected_sd": sd_T / math.sqrt(settings.draws)}))
    return pd.concat(parts, ignore_index=True)


def all_scores(settings: RopeDecay, seed: int) -> dict[str, np.ndarray]:
    """scores_NT of every curve, all from the same draws of q and k."""
    q_ND, k_ND = unit_vectors(settings, seed)
    pe_TD = encoding(settings.distances, settings.d_head, settings.base)
    added_q_ND, added_k_NTD = q_ND + pe_TD[0], k_ND[:, None] + pe_TD
    added_NT = dot(added_q_ND[:, None], added_k_NTD)
    norms_NT = np.linalg.norm(added_q_ND, axis=-1)[:, None] * np.linalg.norm(added_k_NTD, axis=-1)
    return {
        "rope_independent": np.abs(rotated_scores(q_ND, k_ND, settings)),
        "rope_same": rotated_scores(q_ND, q_ND, settings),
        "sinusoidal_renormalised": np.abs(added_NT / norms_NT),
        "sinusoidal_added": np.abs(added_NT),
    }


def unit_vectors(settings: RopeDecay, seed: int) -> np.ndarray:
    """q_ND and k_ND, normal draws divided by their norms."""
    x = np.random.default_rng(seed).normal(size=(2, settings.draws, settings.d_head))
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def rotated_scores(q_ND: np.ndarray, k_ND: np.ndarray, settings: RopeDecay) -> np.ndarray:
    """q . R(t) k as (N, T): q at position 0, where it is not turned."""
    k_NTD = np.broadcast_to(k_ND[:, None], (len(k_ND), settings.distances, settings.d_head))
    return dot(q_ND[:, None], rope.rotate(k_NTD, np.arange(settings.distances), settings.base))


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=-1)


def expectation(curve: str, settings: RopeDecay) -> tuple[np.ndarray, np.ndarray]:
    """Mean_T and standard deviation_T of one draw, as the docstring above derives them.

    Raises ParamsError where sinusoids could give a negative score, so that the mean of |.| has no such formula.
    """
    D, P = settings.d_head, settings.d_head // 2
    cos_TP = np.cos(np.arange(settings.distances)[:, None] * rope.frequencies(D, settings.base))
    C_T = cos_TP.mean(axis=1)
    if curve == "rope_independent":
        mean = math.exp(math.lgamma(D / 2) - math.lgamma((D + 1) / 2)) / math.sqrt(math.pi)
        return np.full(len(C_T), mean), np.full(len(C_T), math.sqrt(1 / D - mean**2))
    if curve == "rope_same":
        variance_T = ((cos_TP**2).mean(axis=1) - C_T**2) / (P + 1)
        return C_T, np.sqrt(np.maximum(variance_T, 0))  # at t = 0 it is 0, or by rounding just below
    if (P * C_T <= 1 + 2 * math.sqrt(P)).any():
        raise ParamsError(
            "a sinusoidal score may be negative, and its mean absolute value has no formula here",
            key="d_head", value=D, allowed="a head dimension, base and distances where C(t) d/2 > 1 + 2 sqrt(d/2)",
        )  # fmt: skip
    if curve == "sinusoidal_added":
        return P * C_T, np.full(len(C_T), math.sqrt((1 + 2 * P) / D))
    mean_x, A = moments_along_encoding(D)
    B = (1 - A) / (D - 1)
    square_T = B**2 * D + 2 * B * (A - B) + (A - B) ** 2 * C_T**2
    return mean_x**2 * C_T, np.sqrt(square_T - mean_x**4 * C_T**2)


def moments_along_encoding(d: int) -> tuple[float, float]:
    """E x and E x^2, where x = (r + y) / sqrt(r^2 + 2 r y + 1) is a unit vector's share along an encoding of norm
    r = sqrt(d/2), after adding that and renormalising.

    y, its share before, has density proportional to (1 - y^2)^((d - 3)/2); by Gauss-Legendre quadrature.
    """
    y, weights = np.polynomial.legendre.leggauss(200)
    weights = weights * (1 - y**2) ** ((d - 3) / 2)
    r = math.sqrt(d / 2)
    x = (r + y) / np.sqrt(r**2 + 2 * r * y + 1)
    return float((weights * x).sum() / weights.sum()), float((weights * x**2).sum() / weights.sum())
