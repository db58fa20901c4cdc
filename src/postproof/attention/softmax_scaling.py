"""What 1 / sqrt(d_k) does to scores and softmax, over d_k; and one wide head against several narrow ones.

With q and k of independent entries of mean 0 and variance 1, q.k is a sum of d_k products of variance 1, so it has mean
0 and standard deviation sqrt(d_k) (Vaswani et al. 2017, section 3.2.1, footnote 4). That is the root mean square; the
mean of |q.k| is sqrt(2 / pi) sqrt(d_k) for large d_k, 0.8 of it. A softmax over n keys has a largest weight of 1 and an
entropy of 0 when all falls on one key, 1 / n and ln n when it is even. How much gradient it lets through is the trace
of its Jacobian diag(w) - w w^T, 1 - sum w^2: 0 when it is saturated.

The second table has a whole layer of one width, split into different numbers of heads: its rows of weights as above,
and its cost. A head's share of the work falls as their number grows, so products cost the same:

    FLOPs = 8 T D^2 + 4 T^2 D      q, k, v and out: 2 T D^2 each; scores and their use: 2 T^2 d_k each, times H heads

Scores, and what softmax works on, are H T^2 numbers: as many times more as there are heads.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from postproof.attention.attention import MultiHeadAttention
from postproof.attention.settings import SoftmaxScaling
from postproof.core import settings, tables
from postproof.core.linalg import matmul, through_torch

SCALINGS = ("none", "inverse_root")
ALL_BUT = 0.01  # a softmax is called saturated when one key has all but this much


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section attention.softmax_scaling, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per d_k and scaling")
    parser.add_argument(
        "--out-heads", type=Path, required=True, help="tidy CSV, one row per number of heads and scaling"
    )


@torch.no_grad()
def main(args) -> None:
    section = settings.parse(SoftmaxScaling, args.settings)
    tables.write(args.out, by_dimension(section), "attention/softmax_scaling")
    tables.write(args.out_heads, by_heads(section), "attention/softmax_heads")


def by_dimension(section: SoftmaxScaling) -> pd.DataFrame:
    """Each row its own q and its own keys, so that rows are independent."""
    rows = []
    for d in section.d_heads:
        rng = np.random.default_rng([section.seed, d])
        q_Nd, k_NSd = (rng.normal(size=size) for size in ((section.rows, d), (section.rows, section.keys, d)))
        scores_NS = np.matmul(k_NSd, q_Nd[:, :, None])[..., 0]
        for scaling in SCALINGS:
            factor = 1 if scaling == "none" else 1 / math.sqrt(d)
            labels = {"d_head": d, "scaling": scaling, "rows": section.rows, "keys": section.keys}
            spread = {"expected_rms": math.sqrt(d) * factor, "expected_mean_abs": expected_mean_abs(d) * factor}
            drawn = {"score_rms": rms(scores_NS * factor), "score_mean_abs": np.abs(scores_NS * factor).mean()}
            rows.append(labels | spread | drawn | softmax_of(scores_NS * factor))
    return pd.DataFrame(rows)


def by_heads(section: SoftmaxScaling) -> pd.DataFrame:
    """The same standard normal q and k of a whole layer for every split, as if projected by weights of unit norm."""
    rows, D, T = [], section.d_model, section.keys
    sequences = -(-section.rows // T)
    rng = np.random.default_rng([section.seed, D])
    q_BTD, k_BTD = (torch.from_numpy(rng.normal(size=(sequences, T, D))) for _ in range(2))
    for H in section.heads:
        layer = MultiHeadAttention(D, H)
        cost = {"flops_formula": 8 * T * D**2 + 4 * T**2 * D, "flops_counted": counted_flops(layer, T)}
        cost |= {"scores": H * T**2}
        scores_BHTT = matmul(layer.split(q_BTD), layer.split(k_BTD).mT).numpy()
        for scaling in SCALINGS:
            factor = 1 if scaling == "none" else 1 / math.sqrt(D // H)
            labels = {"heads": H, "d_head": D // H, "d_model": D, "scaling": scaling, "keys": T}
            labels |= {"rows": sequences * H * T, "expected_rms": math.sqrt(D // H) * factor}
            scores_NT = scores_BHTT.reshape(-1, T) * factor
            rows.append(labels | {"score_rms": rms(scores_NT)} | softmax_of(scores_NT) | cost)
    return pd.DataFrame(rows)


def counted_flops(layer: MultiHeadAttention, length: int) -> int:
    """Of one sequence's forward pass, by torch's counter: products and nothing else."""
    with through_torch(), FlopCounterMode(display=False) as counter:
        layer(torch.zeros(1, length, layer.d_model))
    return counter.get_total_flops()


def expected_mean_abs(d: int) -> float:
    """E|q.k|: given k it is normal of deviation |k|, so sqrt(2 / pi) E|k|, and |k| follows the chi distribution."""
    return math.sqrt(2 / math.pi) * math.sqrt(2) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))


def rms(scores_NS: np.ndarray) -> float:
    return math.sqrt((scores_NS**2).mean())


def softmax_of(scores_NS: np.ndarray) -> dict:
    """Means over rows of what softmax makes of the scores."""
    weights_NS = np.exp(scores_NS - scores_NS.max(axis=-1, keepdims=True))
    weights_NS /= weights_NS.sum(axis=-1, keepdims=True)
    # w ln w is 0 at w = 0; a weight too small for a float64 adds nothing.
    logs_NS = np.log(np.where(weights_NS > 0, weights_NS, 1))
    largest_N = weights_NS.max(axis=-1)
    return {
        "largest_weight": largest_N.mean(),
        "entropy_nats": -(weights_NS * logs_NS).sum(axis=-1).mean(),
        "largest_entropy_nats": math.log(scores_NS.shape[-1]),
        "gradient_trace": (1 - (weights_NS**2).sum(axis=-1)).mean(),
        "saturated_share": (largest_N > 1 - ALL_BUT).mean(),
    }
