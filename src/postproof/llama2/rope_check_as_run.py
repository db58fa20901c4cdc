"""The posted check of the rotation with the draws of its script: the same 15 queries and keys, the same 20 triples.

    complex_numpy, complex_python   as in rope_check, of q and k, at positions 0 .. 14
    relative_distance               score of the first q and k at (m, n) against (m + shift, n + shift)

Unlike rope_check's, these vectors have norm 1, so errors are about 11 times smaller in features, 128 in scores.
"""

from __future__ import annotations

import cmath
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.llama2 import rope
from postproof.llama2.rope_check import largest, largest_part
from postproof.llama2.settings import RopeCheckAsRun


def add_arguments(parser) -> None:
    parser.add_argument("--settings", nargs="+", required=True,
                        help="JSON of llama2.head, llama2.rope_check and llama2.rope_check_as_run")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="CSV, one row per check")


def main(args) -> None:
    checks = errors(settings.parse(RopeCheckAsRun, *args.settings))
    tables.write(args.out, pd.DataFrame(checks, columns=["check", "max_error"]), "llama2/rope_check_as_run")


def errors(settings: RopeCheckAsRun) -> Iterator[tuple[str, float]]:
    q_TD, k_TD = unit_vectors(settings)
    positions_T = np.arange(settings.positions)
    angles_TP = positions_T[:, None] * rope.frequencies(settings.d_head, settings.base)
    fused, unfused = [], []
    for x_TD in (q_TD, k_TD):
        rotated_TP, z_TP = (pairs_TD[:, 0::2] + 1j * pairs_TD[:, 1::2]
                            for pairs_TD in (rope.rotate(x_TD, positions_T, settings.base), x_TD))  # fmt: skip
        products = [z * cmath.exp(1j * angle) for z, angle in zip(z_TP.flat, angles_TP.flat)]
        fused.append(largest_part(z_TP * np.exp(1j * angles_TP) - rotated_TP))
        unfused.append(largest_part(np.reshape(products, z_TP.shape) - rotated_TP))
    yield "complex_numpy", max(fused)
    yield "complex_python", max(unfused)

    m_N, n_N, shift_N = triples(settings).T
    q_ND, k_ND = (np.broadcast_to(x_TD[0], (settings.triples, settings.d_head)) for x_TD in (q_TD, k_TD))

    def scores_N(moved_N: np.ndarray | int) -> np.ndarray:
        q_rotated_ND = rope.rotate(q_ND, m_N + moved_N, settings.base)
        return (q_rotated_ND * rope.rotate(k_ND, n_N + moved_N, settings.base)).sum(axis=-1)

    yield "relative_distance", largest(scores_N(shift_N) - scores_N(0))


def unit_vectors(settings: RopeCheckAsRun) -> tuple[np.ndarray, np.ndarray]:
    """q_TD and k_TD, all of q drawn first."""
    rng = np.random.default_rng(settings.vectors_seed)
    x_2TD = rng.standard_normal((2, settings.positions, settings.d_head))
    q_TD, k_TD = x_2TD / np.linalg.norm(x_2TD, axis=-1, keepdims=True)
    return q_TD, k_TD


def triples(settings: RopeCheckAsRun) -> np.ndarray:
    """(m, n, shift) of each comparison, int64 (triples, 3), drawn one after the other."""
    rng = np.random.default_rng(settings.triples_seed)
    below = settings.positions_below
    return np.array([[rng.integers(below), rng.integers(below), rng.integers(1, settings.shifts_below)]
                     for _ in range(settings.triples)])  # fmt: skip
