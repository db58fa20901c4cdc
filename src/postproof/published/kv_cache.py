"""Bytes of the keys and values that a decoder keeps, and of the weights beside them.

    bytes = 2 x batch x layers x sequence x kv_heads x head_dim x bytes of a number

2 for K and V, one tensor (batch, kv_heads, sequence, head_dim) of each per layer; Shazeer 2019, arXiv:1911.02150 (one
KV head), Ainslie et al. 2023, arXiv:2305.13245 (groups). Query heads are in no factor. Left out: what an allocator
rounds (see caching_allocator), page tables, activations.

A "GB" of a model card or a budget is read in both ways, as 10^9 bytes (GB) and as 2^30 (GiB): 7.4 % apart, enough to
change how many sequences fit.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from postproof.published.configurations import Configuration, parameters

BYTES_PER_NUMBER = 2  # float16 and bfloat16, of weights and of the cache
GB, GIB = 10**9, 2**30
READINGS = {"GB": GB, "GiB": GIB}


def kv_bytes(configuration: Configuration, batch: int, sequence: int) -> int:
    """Bytes of the cache of `batch` sequences of `sequence` tokens each."""
    c = configuration
    return 2 * batch * c.layers * sequence * c.kv_heads * c.head_dim * BYTES_PER_NUMBER


def tensor_bytes(configuration: Configuration, batch: int, sequence: int) -> list[int]:
    """The same, tensor by tensor: K and V of each layer."""
    c = configuration
    return [batch * c.kv_heads * sequence * c.head_dim * BYTES_PER_NUMBER] * (2 * c.layers)


def weight_bytes(configuration: Configuration) -> int:
    """Bytes that hold all weights."""
    return BYTES_PER_NUMBER * parameters(configuration)


def with_kv_heads(configuration: Configuration, attention: str) -> Configuration:
    """The model with the KV heads of mha (all H), gqa (H / 8, as in Llama 2 70B) or mqa (1), and all else the same.

    The projections to K and V change with them, so a model has fewer weights too with fewer KV heads.
    """
    H = configuration.heads
    kv_heads = {"mha": H, "gqa": max(H // 8, 1), "mqa": 1}[attention]
    if kv_heads == configuration.kv_heads:
        return configuration
    label = f"{configuration.label} as {attention.upper()}"
    name = f"{configuration.name}_{attention}"
    return dataclasses.replace(configuration, name=name, label=label, kv_heads=kv_heads)


def variants(configuration: Configuration) -> list[Configuration]:
    """The model as published, then with one KV head and with as many as heads."""
    return [configuration, *(with_kv_heads(configuration, attention) for attention in ("mqa", "mha"))]


def compared(varied: Configuration, others: Iterable[Configuration]) -> list[Configuration]:
    """The others, then one of them all with numbers of KV heads that it never had."""
    return [*others, *variants(varied)]


def attention(configuration: Configuration) -> str:
    """mha, gqa or mqa."""
    kv_heads = configuration.kv_heads
    return "mha" if kv_heads == configuration.heads else "mqa" if kv_heads == 1 else "gqa"


def most_that_fit(room_bytes: int, bytes_each: int) -> int:
    """How many fit whole: 0 when not even one does, and when there is no room at all."""
    return max(room_bytes // bytes_each, 0)


def budget_bytes(budget: float, reading: str) -> int:
    """A budget of so many "GB", in bytes of one reading; a part of a byte is dropped."""
    return math.floor(budget * READINGS[reading])
