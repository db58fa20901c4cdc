"""Attention from scratch against torch's own functions over shapes, types and masks; and what its equations promise."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from postproof.attention.attention import MultiHeadAttention, attend, causal_mask
from postproof.core.errors import ParamsError
from postproof.core.linalg import through_torch
from postproof.llama2.sinusoidal import encoding

SHAPES = [(1, 8, 9, 9, 64), (2, 3, 5, 5, 16), (1, 1, 1, 1, 8), (2, 4, 7, 13, 32), (1, 2, 40, 40, 64)]
# The largest differences of 100 seeds were 2.6e-15, 1.5e-6 and 2^-6; the seed here is fixed.
TOLERANCE = {torch.float64: 1e-14, torch.float32: 4e-6, torch.bfloat16: 2**-6}
FLOATS = [torch.float32, torch.float64]
MASKS = ("none", "causal", "random", "padding", "empty_row")


def inputs(shape, dtype=torch.float64, seed=0):
    B, H, T, S, d = shape
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(B, H, n, d, generator=generator, dtype=torch.float64).to(dtype) for n in (T, S, S)]


def mask_of(kind, shape, seed=0):
    B, H, T, S, _ = shape
    random = torch.rand(B, H, T, S, generator=torch.Generator().manual_seed(seed)) < 0.5
    if kind == "causal":
        return torch.ones(T, S, dtype=torch.bool).tril()
    if kind == "padding":
        return (torch.arange(S) < max(S - 2, 1)).view(1, 1, 1, S)
    if kind == "empty_row":
        random[:, :, T // 2] = False
    return None if kind == "none" else random


@pytest.mark.parametrize("shape, dtype, kind", list(itertools.product(SHAPES, TOLERANCE, MASKS)))
def test_same_as_torch(shape, dtype, kind):
    q, k, v = inputs(shape, dtype)
    allowed = mask_of(kind, shape)
    ours, weights = attend(q, k, v, allowed)
    for backend in ([SDPBackend.MATH], [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
        with sdpa_kernel(backend):
            theirs = F.scaled_dot_product_attention(q, k, v, allowed)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=TOLERANCE[dtype])
    assert ours.dtype == weights.dtype == dtype
    assert (weights >= 0).all() and torch.isfinite(weights).all()
    seen = torch.ones_like(weights, dtype=torch.bool) if allowed is None else allowed.expand(weights.shape)
    assert (weights[~seen] == 0).all(), "what a mask hides has weight 0, exactly"
    tolerance = 2e-3 * shape[3] if dtype == torch.bfloat16 else 1e-6  # each bfloat16 weight is off by up to 2^-9
    torch.testing.assert_close(weights.double().sum(-1), seen.any(-1).double(), rtol=0, atol=tolerance)


def test_causal_mask_is_torchs():
    q, k, v = inputs(SHAPES[0])
    ours, weights = attend(q, k, v, causal_mask(9))
    torch.testing.assert_close(ours, F.scaled_dot_product_attention(q, k, v, is_causal=True), rtol=0, atol=1e-14)
    torch.testing.assert_close(ours[:, :, 0], v[:, :, 0])  # the first token sees itself alone
    assert causal_mask(9).sum(-1).tolist() == list(range(1, 10))
    later = v.clone()
    later[:, :, 5:] = 99
    assert torch.equal(attend(q, k, later, causal_mask(9))[0][:, :, :5], ours[:, :, :5])


@pytest.mark.parametrize("heads, dtype, causal", list(itertools.product([1, 8], FLOATS, [0, 1])))
def test_a_layer_is_torchs_layer_with_the_same_weights(heads, dtype, causal):
    torch.manual_seed(3)
    ours = MultiHeadAttention(512, heads).to(dtype)
    theirs = torch.nn.MultiheadAttention(512, heads, bias=False, batch_first=True, dtype=dtype)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.out_proj.weight.copy_(ours.out.weight)
    x_BTD = torch.randn(2, 9, 512, dtype=dtype)
    hidden = ~causal_mask(9) if causal else None  # torch's layer has True for what is hidden
    y, weights = ours(x_BTD, causal_mask(9) if causal else None)
    expected, expected_weights = theirs(x_BTD, x_BTD, x_BTD, attn_mask=hidden, average_attn_weights=False)
    torch.testing.assert_close(y, expected, rtol=0, atol=2e-6 if dtype == torch.float32 else 1e-14)
    torch.testing.assert_close(weights, expected_weights, rtol=0, atol=2e-6 if dtype == torch.float32 else 1e-14)


def test_heads_are_not_mixed_before_the_output():
    """A change of head 2's queries changes head 2's weights only."""
    layer = MultiHeadAttention(32, 4).double()
    x_BTD = torch.randn(1, 6, 32, dtype=torch.float64)
    _, before = layer(x_BTD)
    with torch.no_grad():
        layer.query.weight[16:24] += 1
    _, after = layer(x_BTD)
    assert [torch.equal(before[0, h], after[0, h]) for h in range(4)] == [True, True, False, True]


def test_a_query_that_sees_nothing_gives_zero_and_finite_gradients():
    q, k, v = (x.requires_grad_() for x in inputs((1, 2, 4, 4, 8)))
    allowed = causal_mask(4).clone()
    allowed[2] = False
    y, weights = attend(q, k, v, allowed)
    assert (y[:, :, 2] == 0).all() and (weights[:, :, 2] == 0).all()
    torch.testing.assert_close(weights.sum(-1)[0, 0], torch.tensor([1.0, 1.0, 0.0, 1.0], dtype=torch.float64))
    y.sum().backward()
    assert all(torch.isfinite(x.grad).all() for x in (q, k, v)) and (q.grad[:, :, 2] == 0).all()


def test_torchs_layer_has_two_answers_for_a_query_that_sees_nothing():
    """Why ours is held against torch's function there and not against its layer."""
    layer, x_BTD = torch.nn.MultiheadAttention(16, 2, bias=False, batch_first=True), torch.randn(1, 3, 16)
    hidden = torch.zeros(3, 3, dtype=torch.bool)
    hidden[1] = True
    assert layer(x_BTD, x_BTD, x_BTD, attn_mask=hidden)[0][0, 1].isnan().all()
    assert (layer(x_BTD, x_BTD, x_BTD, attn_mask=hidden, need_weights=False)[0][0, 1] == 0).all()


def test_gradients_are_torchs():
    ours, theirs = ([x.requires_grad_() for x in inputs((2, 3, 5, 7, 16))] for _ in range(2))
    attend(*ours)[0].square().sum().backward()
    F.scaled_dot_product_attention(*theirs).square().sum().backward()
    for one, other in zip(ours, theirs):
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_order_is_invisible_without_positions_and_seen_with_them(seed):
    """Equal up to rounding without positions; with them the difference is of the size of the output itself."""
    torch.manual_seed(seed)
    layer = MultiHeadAttention(64, 4).double()
    x_BTD, order = torch.randn(1, 10, 64, dtype=torch.float64), torch.randperm(10)
    pe_TD = torch.from_numpy(encoding(10, 64))

    def moved(shift_TD=0, allowed=None):
        difference = layer(x_BTD[:, order] + shift_TD, allowed)[0] - layer(x_BTD + shift_TD, allowed)[0][:, order]
        return difference.abs().max().item()

    assert moved() < 1e-14
    assert moved(shift_TD=pe_TD) > 0.01
    assert moved(allowed=causal_mask(10)) > 0.01


def test_scores_of_one_size_give_even_weights_and_a_huge_one_gives_all():
    q, k, v = torch.zeros(1, 1, 1, 4), torch.randn(1, 1, 5, 4), torch.randn(1, 1, 5, 4)
    torch.testing.assert_close(attend(q, k, v)[1], torch.full((1, 1, 1, 5), 0.2))
    k = torch.eye(5, 4).view(1, 1, 5, 4)
    q = torch.tensor([0.0, 1e30, 0.0, 0.0]).view(1, 1, 1, 4)
    assert attend(q, k, v)[1].flatten().tolist() == [0, 1, 0, 0, 0]


def test_scale_stands_in_for_the_root():
    q, k, v = inputs((1, 2, 3, 4, 16))
    torch.testing.assert_close(attend(q * 4, k, v)[1], attend(q, k, v, scale=1.0)[1])
    expected = F.scaled_dot_product_attention(q, k, v, scale=0.3)
    torch.testing.assert_close(attend(q, k, v, scale=0.3)[0], expected, rtol=0, atol=1e-14)


def test_exact_mode_and_torchs_own_product_agree():
    q, k, v = inputs(SHAPES[0], torch.float32)
    with through_torch():
        fast = attend(q, k, v)[0]
    torch.testing.assert_close(fast, attend(q, k, v)[0], rtol=0, atol=2e-6)


def test_sizes_of_the_paper():
    layer = MultiHeadAttention()
    assert (layer.d_model, layer.heads) == (512, 8)
    assert sum(p.numel() for p in layer.parameters()) == 4 * 512**2
    y, weights = layer(torch.zeros(1, 10, 512))
    assert y.shape == (1, 10, 512) and weights.shape == (1, 8, 10, 10)
    np.testing.assert_allclose(weights.detach(), 0.1, rtol=1e-6)


@pytest.mark.parametrize("d_model, heads", [(512, 7), (10, 3), (8, 0), (8, 16), (0, 1), (8, -2)])
def test_heads_that_do_not_divide_are_refused(d_model, heads):
    with pytest.raises(ParamsError, match="multiple of heads") as refused:
        MultiHeadAttention(d_model, heads)
    assert str(heads) in str(refused.value) and refused.value.remedy


OK = torch.zeros(2, 3, 4, 8)


@pytest.mark.parametrize(
    "q, k, v, words",
    [
        (OK, torch.zeros(2, 3, 5, 8), torch.zeros(2, 3, 4, 8), "shapes"),
        (OK, torch.zeros(2, 3, 5, 9), torch.zeros(2, 3, 5, 9), "shapes"),
        (OK, torch.zeros(2, 1, 5, 8), torch.zeros(2, 1, 5, 8), "shapes"),
        (OK[0], OK[0], OK[0], "shapes"),
        (OK, OK[:, :, :0], OK[:, :, :0], "nothing"),
        (OK, OK.double(), OK, "types"),
        (OK.long(), OK.long(), OK.long(), "types"),
    ],
)
def test_tensors_that_do_not_go_together_are_refused(q, k, v, words):
    with pytest.raises(ParamsError, match=words):
        attend(q, k, v)


@pytest.mark.parametrize(
    "mask, words",
    [
        (torch.zeros(4, 4), "not boolean"),
        (torch.full((4, 4), -math.inf).triu(1), "not boolean"),
        (torch.ones(4, 4, dtype=torch.long), "not boolean"),
        (torch.ones(4, 5, dtype=torch.bool), "another shape"),
        (torch.ones(3, 4, dtype=torch.bool), "another shape"),
        (torch.ones(1, 2, 3, 4, 4, dtype=torch.bool), "another shape"),
    ],
)
def test_a_mask_of_another_kind_is_refused(mask, words):
    with pytest.raises(ParamsError, match=words) as refused:
        attend(OK, OK, OK, mask)
    assert "(T, S)" in refused.value.remedy or "mask" in refused.value.remedy


def test_an_input_of_another_width_is_refused():
    with pytest.raises(ParamsError, match="another shape"):
        MultiHeadAttention(16, 2)(torch.zeros(2, 4, 8))
