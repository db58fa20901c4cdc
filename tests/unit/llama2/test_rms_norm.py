"""RMSNorm and LayerNorm: their values, gradients and invariances, held against torch's own."""

import pytest
import torch
from torch.nn import functional as F

from postproof.llama2.rms_norm import RMSNorm, layer_norm, layer_norm_gradient, rms_norm, rms_norm_gradient

EPS = 1e-5


@pytest.fixture
def drawn():
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return {"x": 3 * draw(4, 5, 48) + 2, "gain": draw(48), "shift": draw(48), "dy": draw(4, 5, 48)}


def test_values_are_torchs(drawn):
    x, gain, shift = drawn["x"], drawn["gain"], drawn["shift"]
    torch.testing.assert_close(rms_norm(x, gain, EPS), F.rms_norm(x, (48,), gain, EPS), atol=1e-13, rtol=0)
    torch.testing.assert_close(layer_norm(x, gain, shift, EPS), F.layer_norm(x, (48,), gain, shift, EPS))


def test_gradients_are_torchs(drawn):
    x, gain, shift = (drawn[name].clone().requires_grad_() for name in ("x", "gain", "shift"))
    F.rms_norm(x, (48,), gain, EPS).backward(drawn["dy"])
    ours = rms_norm_gradient(drawn["x"], drawn["gain"], EPS, drawn["dy"])
    for found, expected in zip(ours, (x.grad, gain.grad)):
        torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)
    x.grad = gain.grad = None
    F.layer_norm(x, (48,), gain, shift, EPS).backward(drawn["dy"])
    ours = layer_norm_gradient(drawn["x"], drawn["gain"], EPS, drawn["dy"])
    for found, expected in zip(ours, (x.grad, gain.grad, shift.grad)):
        torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)


def test_autograd_through_our_own_lines_agrees(drawn):
    x = drawn["x"].clone().requires_grad_()
    rms_norm(x, drawn["gain"], EPS).backward(drawn["dy"])
    expected, _ = rms_norm_gradient(drawn["x"], drawn["gain"], EPS, drawn["dy"])
    torch.testing.assert_close(x.grad, expected, atol=1e-12, rtol=1e-12)


def test_a_factor_changes_neither_and_a_shift_only_rms_norm(drawn):
    x, one = drawn["x"], torch.ones(48, dtype=torch.float64)
    for norm in (lambda x: rms_norm(x, one, 0.0), lambda x: layer_norm(x, one, None, 0.0)):
        torch.testing.assert_close(norm(7 * x), norm(x), atol=1e-12, rtol=0)
    torch.testing.assert_close(layer_norm(x + 5, one, None, 0.0), layer_norm(x, one, None, 0.0), atol=1e-12, rtol=0)
    assert (rms_norm(x + 5, one, 0.0) - rms_norm(x, one, 0.0)).abs().max() > 0.1


def test_at_mean_zero_they_are_one_function(drawn):
    x = drawn["x"] - drawn["x"].mean(dim=-1, keepdim=True)
    torch.testing.assert_close(rms_norm(x, drawn["gain"], EPS), layer_norm(x, drawn["gain"], None, EPS))


def test_gradients_leave_out_what_the_norm_ignores(drawn):
    dx, _ = rms_norm_gradient(drawn["x"], drawn["gain"], 0.0, drawn["dy"])
    assert (dx * drawn["x"]).sum(dim=-1).abs().max() < 1e-12
    dx, _, _ = layer_norm_gradient(drawn["x"], drawn["gain"], 0.0, drawn["dy"])
    assert dx.sum(dim=-1).abs().max() < 1e-12
    assert (dx * drawn["x"]).sum(dim=-1).abs().max() < 1e-12


@pytest.mark.parametrize("norm", [lambda x: rms_norm(x, torch.ones(48), EPS), lambda x: layer_norm(x, 1, None, EPS)])
def test_a_token_does_not_see_the_others(drawn, norm):
    x = drawn["x"].float()
    changed = x.clone()
    changed[1:] = 0
    assert torch.equal(norm(changed)[0], norm(x)[0])


def test_sixteen_bits_do_not_overflow_in_the_sum_of_squares():
    x = torch.full((1, 64), 3e4, dtype=torch.float16)  # its square is past float16's 65,504
    torch.testing.assert_close(rms_norm(x, torch.ones(64, dtype=torch.float16), EPS), torch.ones_like(x))


def test_one_parameter_a_feature():
    assert [tuple(p.shape) for p in RMSNorm(48, EPS).parameters()] == [(48,)]
