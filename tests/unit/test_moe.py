"""The mixture layer against a plain loop over experts and slots, in values and gradients."""

import pytest
import torch
from torch.nn import functional as F

from postproof.mixtral.moe import MoE


def loop_over_experts_and_slots(moe: MoE, x_ND: torch.Tensor) -> torch.Tensor:
    """The definition, term by term: y_n = sum_k p_nk E_{i_nk}(x_n), one mask for each expert and slot."""
    expert_ids_NK, weights_NK = moe.route(x_ND)
    experts, y_ND = moe.experts, torch.zeros_like(x_ND)
    for expert in range(moe.router.out_features):
        for slot in range(moe.top_k):
            chosen_N = expert_ids_NK[:, slot] == expert
            rows = x_ND[chosen_N]
            gate, up = (rows @ experts.gate_up_EDH[expert] + experts.gate_up_bias_EH[expert]).chunk(2, dim=-1)
            out = (F.silu(gate) * up) @ experts.down_EFD[expert] + experts.down_bias_ED[expert]
            y_ND = y_ND.index_put((chosen_N.nonzero()[:, 0],), out * weights_NK[chosen_N, slot, None], accumulate=True)
    return y_ND


@pytest.mark.parametrize("experts, top_k", [(8, 2), (8, 1), (4, 4), (1, 1), (16, 3)])
@pytest.mark.parametrize("tokens", [1, 3, 64])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 2e-5), (torch.float64, 1e-12)])
def test_dispatch_equals_the_loop_in_values_and_gradients(experts, top_k, tokens, dtype, tolerance):
    torch.manual_seed(experts * 100 + tokens)
    moe = MoE(d_model=12, d_ff=10, experts=experts, top_k=top_k).to(dtype)
    x_ND = torch.randn(tokens, 12, dtype=dtype)
    weight_ND = torch.randn_like(x_ND)

    def value_and_gradients(function):
        moe.zero_grad()
        x = x_ND.clone().requires_grad_()
        y = function(x)
        (y * weight_ND).sum().backward()
        return y, x.grad, {name: parameter.grad.clone() for name, parameter in moe.named_parameters()}

    y, x_grad, grads = value_and_gradients(moe)
    y_loop, x_grad_loop, grads_loop = value_and_gradients(lambda x: loop_over_experts_and_slots(moe, x))
    torch.testing.assert_close(y, y_loop, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(x_grad, x_grad_loop, atol=tolerance, rtol=tolerance)
    for name in grads:
        torch.testing.assert_close(grads[name], grads_loop[name], atol=tolerance, rtol=tolerance, msg=name)


def test_the_k_likeliest_experts_are_chosen_and_their_weights_sum_to_one():
    torch.manual_seed(0)
    moe = MoE(d_model=12, d_ff=10, experts=8, top_k=2)
    x_ND = torch.randn(50, 12)
    expert_ids_NK, weights_NK = moe.route(x_ND)
    logits_NE = moe.router(x_ND)
    by_logit_NE = logits_NE.argsort(dim=-1, descending=True)
    assert torch.equal(expert_ids_NK, by_logit_NE[:, :2])
    torch.testing.assert_close(weights_NK.sum(dim=-1), torch.ones(50))
    # Softmax over the chosen two only: their odds are those of the full softmax.
    full_NE = logits_NE.softmax(dim=-1)
    chosen_NK = full_NE.gather(1, expert_ids_NK)
    torch.testing.assert_close(weights_NK, chosen_NK / chosen_NK.sum(dim=-1, keepdim=True))


def test_tokens_do_not_influence_each_other():
    torch.manual_seed(0)
    moe = MoE(d_model=12, d_ff=10, experts=8, top_k=2).double()
    x_ND = torch.randn(20, 12, dtype=torch.float64)
    order = torch.randperm(20)
    torch.testing.assert_close(moe(x_ND[order]), moe(x_ND)[order], atol=1e-12, rtol=1e-12)


def test_with_all_experts_chosen_it_is_the_dense_softmax_mixture():
    torch.manual_seed(0)
    moe = MoE(d_model=6, d_ff=5, experts=3, top_k=3).double()
    x_ND = torch.randn(7, 6, dtype=torch.float64)
    p_NE = moe.router(x_ND).softmax(dim=-1)
    each_END = torch.stack([
        moe.experts(x_ND, [len(x_ND) if other == expert else 0 for other in range(3)]) for expert in range(3)
    ])  # fmt: skip
    torch.testing.assert_close(moe(x_ND), torch.einsum("ne,end->nd", p_NE, each_END), atol=1e-12, rtol=1e-12)
