"""Real vectors for a picture of the rotation: pairs at several positions, and scores at many pairs of positions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.llama2 import rope
from postproof.llama2.settings import RopeDiagram
from postproof.llama2.sinusoidal import encoding


def add_arguments(parser) -> None:
    parser.add_argument("--settings", nargs="+", required=True, help="JSON of llama2.head and llama2.rope_diagram")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per arrow")
    parser.add_argument("--out-scores", type=Path, required=True, help="tidy CSV, one row per query and key position")


def main(args) -> None:
    diagram = settings.parse(RopeDiagram, *args.settings)
    tables.write(args.out, arrows(diagram), "llama2/rope_diagram")
    tables.write(args.out_scores, scores(diagram), "llama2/rope_scores")


def vectors(settings: RopeDiagram) -> np.ndarray:
    """q_D and k_D."""
    return np.random.default_rng(settings.seed).normal(size=(2, settings.d_head))


def arrows(settings: RopeDiagram) -> pd.DataFrame:
    """Turning pairs of q, and one pair of q and k at their positions (`here`) and moved on together (`shifted`)."""
    q_D, k_D = vectors(settings)
    m, n, shift = settings.query_position, settings.key_position, settings.shift
    wanted = [("turning", "q", pair, t) for pair in settings.pairs for t in range(settings.positions)]
    wanted += [(part, "q", settings.pairs[0], m + by) for part, by in (("here", 0), ("shifted", shift))]
    wanted += [(part, "k", settings.pairs[0], n + by) for part, by in (("here", 0), ("shifted", shift))]
    rows = []
    for part, vector, pair, position in wanted:
        rotated_D = rope.rotate({"q": q_D, "k": k_D}[vector][None], [position], settings.base)[0]
        x, y = rotated_D[2 * pair : 2 * pair + 2]
        rows.append({"part": part, "vector": vector, "pair": pair, "position": position, "x": x, "y": y})
    return pd.DataFrame(rows)


def scores(settings: RopeDiagram) -> pd.DataFrame:
    """Scores of one q at position m with one k at n <= m."""
    q_D, k_D = vectors(settings)
    positions_T = np.arange(settings.tokens)
    q_TD, k_TD = (
        rope.rotate(np.broadcast_to(x_D, (settings.tokens, settings.d_head)), positions_T, settings.base)
        for x_D in (q_D, k_D)
    )
    pe_TD = encoding(settings.tokens, settings.d_head, settings.base)
    m_N, n_N = np.tril_indices(settings.tokens)
    cross_N = (q_D * pe_TD[n_N]).sum(axis=-1) + (pe_TD[m_N] * k_D).sum(axis=-1)
    return pd.DataFrame({
        "query_position": m_N, "key_position": n_N, "distance": m_N - n_N,
        "rope": (q_TD[m_N] * k_TD[n_N]).sum(axis=-1),
        "by_distance": (q_TD[m_N - n_N] * k_D).sum(axis=-1),
        "sinusoidal": ((q_D + pe_TD[m_N]) * (k_D + pe_TD[n_N])).sum(axis=-1),
        "sinusoidal_cross_terms": cross_N,
    })  # fmt: skip
