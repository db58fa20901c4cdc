"""Grouped-query attention between its two ends, multi-head and multi-query, and its cache."""

import pytest
import torch
from torch.nn import functional as F

from postproof.core import exact
from postproof.llama2.gqa import KVCache, group_size, grouped_query_attention

HEADS, TIME, D_HEAD = 6, 11, 8


@pytest.fixture(params=["exact", "fast"], autouse=True)
def mode(request, monkeypatch):
    """Each test in both modes: the equation as it stands, and torch's fused kernel."""
    monkeypatch.setattr(exact, "pinned", lambda: request.param == "exact")


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def qkv(kv_heads, batch=2):
    shape = (batch, kv_heads, TIME, D_HEAD)
    return draw(batch, HEADS, TIME, D_HEAD), draw(*shape, seed=1), draw(*shape, seed=2)


@pytest.mark.parametrize("kv_heads", [1, 2, 3, 6])
def test_it_is_torchs_attention_with_repeated_keys_and_values(kv_heads):
    q, k, v = qkv(kv_heads)
    repeated = (x.repeat_interleave(HEADS // kv_heads, dim=1) for x in (k, v))
    expected = F.scaled_dot_product_attention(q, *repeated, is_causal=True)
    torch.testing.assert_close(grouped_query_attention(q, k, v), expected, atol=1e-12, rtol=0)


def test_as_many_kv_heads_as_heads_is_multi_head_attention():
    q, k, v = qkv(HEADS)
    each_alone = [grouped_query_attention(*(x[:, h : h + 1] for x in (q, k, v))) for h in range(HEADS)]
    torch.testing.assert_close(grouped_query_attention(q, k, v), torch.cat(each_alone, dim=1), atol=1e-12, rtol=0)


def test_one_kv_head_is_multi_query_attention():
    q, k, v = qkv(1)
    scores = torch.einsum("bhtd,bsd->bhts", q, k[:, 0]) / D_HEAD**0.5
    weights = scores.masked_fill(torch.ones(TIME, TIME).triu(1).bool(), -torch.inf).softmax(dim=-1)
    expected = torch.einsum("bhts,bsd->bhtd", weights, v[:, 0])
    torch.testing.assert_close(grouped_query_attention(q, k, v), expected, atol=1e-12, rtol=0)


def test_a_query_head_sees_only_its_groups_keys_and_values():
    q, k, v = qkv(3)
    k_changed, v_changed = k.clone(), v.clone()
    k_changed[:, 1], v_changed[:, 1] = 0, 0
    same = (grouped_query_attention(q, k, v) == grouped_query_attention(q, k_changed, v_changed)).all(dim=(0, 2, 3))
    assert same.tolist() == [True, True, False, False, True, True]


@pytest.mark.parametrize("pieces", [[11], [1] * 11, [4, 1, 1, 5], [10, 1]])
def test_in_pieces_through_the_cache_it_is_the_whole(pieces):
    q, k, v = qkv(2)
    cache, parts, end = KVCache(1, 2, 2, TIME, D_HEAD, dtype=torch.float64), [], 0
    for length in pieces:
        now = slice(end, end + length)
        parts.append(grouped_query_attention(q[:, :, now], *cache.append(0, k[:, :, now], v[:, :, now])))
        end = cache.length = end + length
    torch.testing.assert_close(torch.cat(parts, dim=2), grouped_query_attention(q, k, v), atol=1e-12, rtol=0)


def test_bytes_of_a_cache_are_the_formula():
    cache = KVCache(layers=3, batch=2, kv_heads=2, positions=TIME, d_head=D_HEAD, dtype=torch.float16)
    assert cache.bytes == 2 * 2 * 3 * TIME * 2 * D_HEAD * 2


@pytest.mark.parametrize("kv_heads", [0, 4, 5, 12, -1])
def test_kv_heads_that_do_not_divide_heads_are_refused(kv_heads):
    with pytest.raises(ValueError, match=f"kv_heads is {kv_heads}; it must divide heads, 6: one of 1, 2, 3, 6"):
        group_size(HEADS, kv_heads)


def test_what_does_not_fit_the_cache_is_refused_and_nothing_is_written():
    _, k, v = qkv(2)
    with pytest.raises(ValueError, match="11 positions, but the cache has 10"):
        cache = KVCache(1, 2, 2, 10, D_HEAD, dtype=torch.float64)
        cache.append(0, k, v)
    assert not cache.kv_LCBGPd.any()
    for wrong in (KVCache(1, 1, 2, TIME, D_HEAD), KVCache(1, 2, 3, TIME, D_HEAD)):  # another batch, other heads
        with pytest.raises(ValueError, match="cache is for"):
            wrong.append(0, k, v)


def test_fewer_keys_than_queries_are_refused():
    q, k, v = qkv(2)
    with pytest.raises(ValueError, match="11 queries but 10 keys"):
        grouped_query_attention(q, k[:, :, :10], v[:, :, :10])
