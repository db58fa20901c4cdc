"""Grouped-query attention with a KV cache (Ainslie et al. 2023, "GQA", section 2.2).

Shapes: B batch, T new tokens, S positions up to and with them (S = T without a cache), H query heads, G key-value
heads, R = H / G query heads to each of them, d head dimension.

Query head h attends with key-value head h // R: G = H is multi-head attention, G = 1 multi-query attention (Shazeer
2019). Only keys and values of the past are needed again, so only they are cached: 2 G d numbers a token and layer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from postproof.core import exact
from postproof.core.linalg import matmul


def group_size(heads: int, kv_heads: int) -> int:
    """R, the query heads that share one key-value head. Raises ValueError when kv_heads does not divide heads."""
    if kv_heads < 1 or heads % kv_heads:
        allowed = ", ".join(str(divisor) for divisor in range(1, heads + 1) if heads % divisor == 0)
        raise ValueError(f"kv_heads is {kv_heads}; it must divide heads, {heads}: one of {allowed}")
    return heads // kv_heads


def grouped_query_attention(q_BHTd: Tensor, k_BGSd: Tensor, v_BGSd: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v, causal, (B, H, T, d). The T queries are the last T of the S positions.

    The queries of a group are rows of one product with their shared keys: K and V are read once and never repeated.
    Raises ValueError when G does not divide H or there are fewer keys than queries.
    """
    B, H, T, d = q_BHTd.shape
    G, S = k_BGSd.shape[1:3]
    R = group_size(H, G)
    if S < T:
        raise ValueError(f"{T} queries but {S} keys; the queries are the last positions of the keys")
    if not exact.pinned() and S == T > 1:
        # Fast mode: torch's fused kernel, the same sums in blocks, which leaves out the future.
        return F.scaled_dot_product_attention(q_BHTd, k_BGSd, v_BGSd, is_causal=True, enable_gqa=True)
    q_scaled = q_BHTd.reshape(B, G, R * T, d) / math.sqrt(d)
    scores_BGRTS = matmul(q_scaled, k_BGSd.mT).view(B, G, R, T, S)
    if T > 1:  # a single new token sees all positions
        # Query t stands at position S - T + t and sees positions up to that one; -inf at those after it, else 0.
        future_TS = torch.full((T, S), -math.inf, dtype=q_BHTd.dtype, device=q_BHTd.device).triu(diagonal=S - T + 1)
        scores_BGRTS = scores_BGRTS + future_TS
    weights = scores_BGRTS.softmax(dim=-1).view(B, G, R * T, S)
    return matmul(weights, v_BGSd).view(B, H, T, d)


class KVCache:
    """Keys and values of all layers for up to `positions` positions, allocated once.

    `bytes` = 2 B layers G positions d bytes_per_number. `length` positions are filled; the model moves it on after the
    last layer, so that all layers of a step write to the same place.
    """

    def __init__(self, layers: int, batch: int, kv_heads: int, positions: int, d_head: int, **tensor_options):
        self.kv_LCBGPd = torch.zeros(layers, 2, batch, kv_heads, positions, d_head, **tensor_options)
        self.length = 0

    @property
    def bytes(self) -> int:
        return self.kv_LCBGPd.nbytes

    def append(self, layer: int, k_BGTd: Tensor, v_BGTd: Tensor) -> tuple[Tensor, Tensor]:
        """Writes T positions behind the filled ones; gives k_BGSd and v_BGSd, views of all positions so far.

        Raises ValueError when the cache is too short for them, or made for another batch or other heads.
        """
        k_BGPd, v_BGPd = self.kv_LCBGPd[layer]
        expected, found = (k_BGPd[:, :, 0].shape, k_BGTd[:, :, 0].shape)
        if expected != found:
            raise ValueError(f"cache is for (batch, kv_heads, d_head) = {tuple(expected)}; keys are {tuple(found)}")
        end = self.length + k_BGTd.shape[2]
        if end > k_BGPd.shape[2]:
            raise ValueError(f"{end} positions, but the cache has {k_BGPd.shape[2]}; make it longer")
        k_BGPd[:, :, self.length : end] = k_BGTd
        v_BGPd[:, :, self.length : end] = v_BGTd
        return k_BGPd[:, :, :end], v_BGPd[:, :, :end]
