"""How exact the rotation is in float64: distance, complex numbers, 64-bit significands, norms, position 0.

`max_error` is the largest absolute difference within a seed, of standard normal vectors (their norm is about 11):

    relative_distance    score at (m, n) against (m + shift, n + shift), the posted check
    far_distance         the same, `far_shift` tokens further on
    complex_numpy        (x_2k + i x_2k+1) exp(i m theta_k) as NumPy multiplies: with fused multiply-adds
    complex_python       the same as Python multiplies: four products, each rounded
    extended             the rotation in x86 extended precision, rates and angles included
    norm                 |R(m) x| / |x| against 1
    position_0           R(0) x against x
"""

from __future__ import annotations

import cmath
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.llama2 import rope
from postproof.llama2.settings import RopeCheck


def add_arguments(parser) -> None:
    parser.add_argument("--settings", nargs="+", required=True, help="JSON of llama2.head and llama2.rope_check")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per base, seed and check")


def main(args) -> None:
    table = check(settings.parse(RopeCheck, *args.settings))
    tables.write(args.out, table, "llama2/rope_check")


def check(settings: RopeCheck) -> pd.DataFrame:
    return pd.DataFrame(
        {"check": name, "base": base, "seed": seed, "max_error": error}
        for base in settings.bases
        for seed in settings.seeds
        for name, error in errors(settings, base, seed)
    )


def errors(settings: RopeCheck, base: float, seed: int) -> Iterator[tuple[str, float]]:
    rng = np.random.default_rng(seed)
    q_D, k_D = rng.normal(size=(2, settings.d_head))
    triples = (settings.triples,)
    m_N, n_N = rng.integers(settings.positions_below, size=(2, *triples))
    shift_N = rng.integers(settings.shifts_below, size=triples)

    def scores_N(m_N, n_N):
        q_ND, k_ND = (np.broadcast_to(x_D, (*triples, settings.d_head)) for x_D in (q_D, k_D))
        return (rope.rotate(q_ND, m_N, base) * rope.rotate(k_ND, n_N, base)).sum(axis=-1)

    yield "relative_distance", largest(scores_N(m_N + shift_N, n_N + shift_N) - scores_N(m_N, n_N))
    far_N = shift_N + settings.far_shift
    yield "far_distance", largest(scores_N(m_N + far_N, n_N + far_N) - scores_N(m_N, n_N))

    positions_T = np.arange(settings.positions_below)
    x_TD = np.broadcast_to(q_D, (len(positions_T), settings.d_head))
    rotated_TD = rope.rotate(x_TD, positions_T, base)
    rotated_TP, z_TP = (a_TD[:, 0::2] + 1j * a_TD[:, 1::2] for a_TD in (rotated_TD, x_TD))
    angles_TP = positions_T[:, None] * rope.frequencies(settings.d_head, base)
    yield "complex_numpy", largest_part(z_TP * np.exp(1j * angles_TP) - rotated_TP)
    products = [z * cmath.exp(1j * angle) for z, angle in zip(z_TP.flat, angles_TP.flat)]
    yield "complex_python", largest_part(np.reshape(products, z_TP.shape) - rotated_TP)

    exponents_P = -np.arange(0, settings.d_head, 2, dtype=np.longdouble) / settings.d_head
    angles_TP = positions_T[:, None] * np.longdouble(base) ** exponents_P
    exact_TP = z_TP.astype(np.clongdouble) * (np.cos(angles_TP) + 1j * np.sin(angles_TP))
    yield "extended", largest_part(exact_TP - rotated_TP)

    yield "norm", largest(np.linalg.norm(rotated_TD, axis=-1) / np.linalg.norm(q_D) - 1)
    yield "position_0", largest(rotated_TD[0] - q_D)


def largest(differences: np.ndarray) -> float:
    return float(np.abs(differences).max())


def largest_part(differences: np.ndarray) -> float:
    """Of real and imaginary parts, as the posted check compares them."""
    return max(largest(differences.real), largest(differences.imag))
