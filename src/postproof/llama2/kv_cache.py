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
from collections.abc import Sequence

from postproof.configurations import Configuration, choose, parameters
from postproof.errors import ParamsError

BYTES_PER_NUMBER = 2  # float16 and bfloat16, of weights and of the cache
GB, GIB = 10**9, 2**30
READINGS = {"GB": GB, "GiB": GIB}

PUBLISHED = ("gpt2_xl", "llama2_7b", "llama2_70b")  # of the models that the post compares


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


def posted_models(models: dict[str, Configuration]) -> dict[str, Configuration]:
    """The five models of the post by name: those published, and the 70B with numbers of KV heads that it never had.

    Raises DataError when a published one was not read.
    """
    published = {name: choose(models, name) for name in PUBLISHED}
    variants = [with_kv_heads(published["llama2_70b"], attention) for attention in ("mqa", "mha")]
    return published | {variant.name: variant for variant in variants}


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


def check_counts(section: str, **counts: int | Sequence[int]) -> None:
    """Raises ParamsError unless each value is a whole number, at least 1, or a list of such, each once."""
    for key, value in counts.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        if not values or any(type(each) is not int or each < 1 for each in values) or len(set(values)) < len(values):
            allowed = "whole numbers, at least 1, none twice"
            raise ParamsError("value is not allowed", key=f"{section}.{key}", value=value, allowed=allowed)


def check_amount(section: str, key: str, value: float) -> None:
    """Raises ParamsError unless the value is a number above 0."""
    if type(value) not in (int, float) or not 0 < value < math.inf:
        raise ParamsError("value is not allowed", key=f"{section}.{key}", value=value, allowed="a number above 0")
