"""The decoder sees the past only, has the posted sizes, and its FLOPs come out as posted."""

import dataclasses

import pytest
import torch

from postproof.mixtral.flops import attention_flops, ffn_flops, router_flops, step_flops
from postproof.mixtral.model import ARMS, CausalSelfAttention, Decoder
from postproof.mixtral.settings import ModelSizes

POSTED = ModelSizes(d_model=192, heads=6, layers=3, sequence=96, dense_ffn=768, experts=8, expert_ffn=96, top_k=2)
TINY = ModelSizes(d_model=16, heads=2, layers=2, sequence=12, dense_ffn=32, experts=4, expert_ffn=8, top_k=2)


@pytest.mark.parametrize("arm, steps, cumulative", [("dense", 12, 207_920_037_888), ("moe", 25, 204_918_681_600)])
def test_step_flops_give_the_posted_totals_to_the_last_digit(arm, steps, cumulative):
    assert steps * step_flops(arm, POSTED, batch=16) == cumulative


def test_top_two_of_eight_experts_of_an_eighth_of_the_width_do_a_quarter_of_the_dense_flops():
    assert 4 * ffn_flops("moe", POSTED, batch=16) == ffn_flops("dense", POSTED, batch=16)


@pytest.mark.parametrize("arm", ARMS)
def test_counted_flops_are_the_products_that_torch_counts(arm, monkeypatch):
    """Forward products by torch's own counter; the formula's 5 B T E for router arithmetic are no products."""
    from torch.utils.flop_counter import FlopCounterMode

    monkeypatch.setattr("postproof.core.exact.pinned", lambda: False)  # the counter sees torch's products only
    sizes, batch, vocabulary = POSTED, 2, 64
    model = Decoder(arm, sizes, vocabulary)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.randint(vocabulary, (batch, sizes.sequence)))
    tokens = batch * sizes.sequence
    head = 2 * tokens * sizes.d_model * vocabulary
    router_arithmetic = sizes.layers * 5 * tokens * sizes.experts if arm == "moe" else 0
    assert counter.get_total_flops() - head == step_flops(arm, sizes, batch) // 3 - router_arithmetic


def test_flops_grow_as_their_formulas_say():
    twice_as_long = dataclasses.replace(POSTED, sequence=192)
    assert attention_flops(twice_as_long, 16) > 2 * attention_flops(POSTED, 16)
    assert ffn_flops("dense", twice_as_long, 16) == 2 * ffn_flops("dense", POSTED, 16)
    assert router_flops("dense", POSTED, 16) == 0


@pytest.mark.parametrize("arm", ARMS)
def test_a_position_sees_only_itself_and_the_past(arm):
    torch.manual_seed(0)
    model = Decoder(arm, TINY, vocabulary=10).double()
    ids = torch.randint(10, (1, 12))
    changed = ids.clone()
    changed[0, 7:] = (changed[0, 7:] + 1) % 10
    logits, logits_changed = model(ids), model(changed)
    torch.testing.assert_close(logits[:, :7], logits_changed[:, :7], atol=1e-12, rtol=0)
    assert not torch.allclose(logits[:, 7:], logits_changed[:, 7:])


def test_attention_is_torchs_attention():
    torch.manual_seed(0)
    attention = CausalSelfAttention(d_model=16, heads=2, sequence=12).double()
    x_BTD = torch.randn(3, 9, 16, dtype=torch.float64)
    q, k, v = attention.qkv(x_BTD).view(3, 9, 3, 2, 8).permute(2, 0, 3, 1, 4)
    reference = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    reference = attention.out(reference.transpose(1, 2).reshape(3, 9, 16))
    torch.testing.assert_close(attention(x_BTD), reference, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("arm", ARMS)
def test_parameter_counts_by_hand(arm):
    D, V, T = 192, 64, 96
    embeddings_and_head = V * D + T * D + D * V
    norms = (2 * 3 + 1) * 2 * D
    attention = 3 * (4 * D * D + 4 * D)
    dense = 3 * (D * 2 * 768 + 2 * 768 + 768 * D + D)
    moe = 3 * (8 * (D * 2 * 96 + 2 * 96 + 96 * D + D) + D * 8 + 8)
    by_hand = embeddings_and_head + norms + attention + {"dense": dense, "moe": moe}[arm]
    counted = sum(parameter.numel() for parameter in Decoder(arm, POSTED, V).parameters())
    assert counted == by_hand


@pytest.mark.parametrize("arm", ARMS)
def test_a_fresh_model_is_near_uniform(arm):
    torch.manual_seed(0)
    ids = torch.randint(64, (8, 97))
    loss = Decoder(arm, POSTED, vocabulary=64).loss(ids[:, :-1], ids[:, 1:]).item()
    # ln 64 = 4.16; the logits of an untrained head have a standard deviation of about 0.6, which adds about 0.18.
    assert 4.1 < loss < 4.6
