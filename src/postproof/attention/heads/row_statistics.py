"""How widely, how locally and how much on the first token each head attends, by one pass of array code.

Shapes: B sentences, H heads, T positions that they are padded to (queries, then keys), n tokens of a sentence.

Row i of a causal head is a distribution over the keys that the query may see: i + 1 of them, or the n real ones where
that is fewer and padding is hidden. Its entropy -sum_j w_ij ln w_ij is ln of that number at most, when it is uniform.
Rows 0 .. n - 1 are real, rows n .. T - 1 are padding, whose queries stand for no word. Sums are taken in float64.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

STATISTICS = ("entropy", "diagonal", "entropy_share", "first_token_share")
# Share of the largest entropy, and share on the first token, are the same for every head in row 0: it sees one key.
WITHOUT_ROW_0 = ("entropy_share", "first_token_share")
GROUPS = ("real", "padding")
SENTENCES_A_PASS = 4


@dataclasses.dataclass(frozen=True)
class ByRow:
    """Of each row, float64: entropy in nats, share of attention within `reach` of the diagonal, share on key 0."""

    entropy_BHT: Tensor
    diagonal_BHT: Tensor
    first_token_BHT: Tensor


def by_row(weights_BHTT: Tensor, reach: int, keys: int | None = None) -> ByRow:
    """`keys`: how many have any weight, where the caller knows that the others have none and need no time."""
    T = weights_BHTT.shape[-1]
    diagonal_BHT = weights_BHTT.diagonal(dim1=-2, dim2=-1).double()
    for offset in range(1, min(reach, T - 1) + 1):
        diagonal_BHT[..., offset:] += weights_BHTT.diagonal(-offset, -2, -1)
        diagonal_BHT[..., :-offset] += weights_BHTT.diagonal(offset, -2, -1)
    # entr(w) = -w ln w, and 0 at 0. In float64 and with all its terms a batch is too large for a processor's caches.
    few_at_a_time = weights_BHTT[..., :keys].split(SENTENCES_A_PASS)
    entropy_BHT = torch.cat([torch.special.entr(few_bHTT.double()).sum(-1) for few_bHTT in few_at_a_time])
    return ByRow(entropy_BHT, diagonal_BHT, weights_BHTT[..., 0].double())


def keys_seen(lengths_B: np.ndarray, positions: int, padding_hidden: bool) -> np.ndarray:
    """How many keys each row may see, (B, T)."""
    keys_BT = np.broadcast_to(np.arange(1, positions + 1), (len(lengths_B), positions))
    return np.minimum(keys_BT, np.asarray(lengths_B)[:, None]) if padding_hidden else keys_BT


def rows_counted(lengths_B: np.ndarray, positions: int, group: str, statistic: str) -> np.ndarray:
    """Which rows a mean over the group's rows takes, bool (B, T)."""
    row_T = np.arange(positions)
    real_BT = row_T < np.asarray(lengths_B)[:, None]
    rows_BT = real_BT if group == "real" else ~real_BT
    return rows_BT & (row_T > 0) if statistic in WITHOUT_ROW_0 else rows_BT


def by_head(weights_BHTT: Tensor, lengths_B: np.ndarray, reach: int, padding_hidden: bool) -> dict[str, Tensor]:
    """Means over the real and over the padding rows of each sentence: `{group}_{statistic}`, (B, H), float64.

    A sentence of T tokens has no padding rows; their means are then 0. Lengths are at least 2 and at most T.
    """
    T = weights_BHTT.shape[-1]
    rows = by_row(weights_BHTT, reach, keys=max(lengths_B) if padding_hidden else T)
    limit_BT = torch.from_numpy(np.log(keys_seen(lengths_B, T, padding_hidden)))
    values = {
        "entropy": rows.entropy_BHT,
        "diagonal": rows.diagonal_BHT,
        "entropy_share": rows.entropy_BHT / limit_BT.clamp_min(np.log(2))[:, None],  # row 0 has limit 0: not counted
        "first_token_share": rows.first_token_BHT,
    }
    means = {}
    for group in GROUPS:
        for name, value_BHT in values.items():
            counted_BT = torch.from_numpy(rows_counted(lengths_B, T, group, name))
            sums_BH = torch.where(counted_BT[:, None], value_BHT, 0).sum(-1)
            means[f"{group}_{name}"] = sums_BH / counted_BT.sum(-1).clamp_min(1)[:, None]
    return means


def content_distance(weights_BHTT: Tensor, lengths_B: np.ndarray) -> Tensor:
    """How far a sentence's rows are from the other sentences' rows at the same position, (B, H), from 0 to 1.

    Half the sum over keys of |w_ij - mean of the others' w_ij| (total variation), mean over real rows from row 1 on
    that another sentence has too. 0: attention follows positions alone. A sentence for which there is none gets 0.
    """
    real_BT = torch.from_numpy(rows_counted(lengths_B, weights_BHTT.shape[-1], "real", "entropy_share"))
    real_weights_BHTT = weights_BHTT.double() * real_BT[:, None, :, None]
    sentences_T = real_BT.sum(0)
    mean_HTT = real_weights_BHTT.sum(0) / sentences_T.clamp_min(1)[:, None]
    # With m sentences, w minus the mean of the other m - 1 is m / (m - 1) times w minus the mean of all.
    others_T = sentences_T / (sentences_T - 1).clamp_min(1)
    distance_BHT = 0.5 * others_T * (real_weights_BHTT - mean_HTT).abs().sum(-1)
    counted_BT = real_BT & (sentences_T > 1)
    sums_BH = torch.where(counted_BT[:, None], distance_BHT, 0).sum(-1)
    return sums_BH / counted_BT.sum(-1).clamp_min(1)[:, None]


def uniform(lengths_B: np.ndarray, positions: int, reach: int, padding_hidden: bool) -> dict[str, np.ndarray]:
    """What uniform attention gets: entropy (the largest there is) and diagonal score of each row, (B, T)."""
    keys_BT = keys_seen(lengths_B, positions, padding_hidden)
    row_T = np.arange(positions)
    # Keys max(0, i - reach) .. i, as far as they are among those seen.
    near_BT = np.clip(keys_BT - np.maximum(0, row_T - reach), 0, None)
    return {"entropy": np.log(keys_BT), "diagonal": near_BT / keys_BT, "diagonal_limit": np.minimum(near_BT, 1.0)}
