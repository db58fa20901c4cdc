"""The mixture layer against a plain loop and against transformers, in values and gradients; its edges and bad input."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from postproof.mixtral.model import ARMS, Decoder
from postproof.mixtral.moe import MoE
from postproof.mixtral.settings import ModelSizes

SIZES = ModelSizes(d_model=16, heads=2, layers=2, sequence=12, dense_ffn=32, experts=4, expert_ffn=8, top_k=2)


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


def moe_without_biases() -> MoE:
    """In float64. The block of transformers has no biases, in the router or the experts."""
    torch.manual_seed(0)
    moe = MoE(d_model=12, d_ff=10, experts=8, top_k=2).double()
    for name, parameter in moe.named_parameters():
        if "bias" in name:
            torch.nn.init.zeros_(parameter)
    return moe


def block_of_transformers(moe: MoE):
    """MixtralSparseMoeBlock with the weights of `moe`. `eager` is its loop over experts, the one that takes float64."""
    pytest.importorskip("transformers", reason="the extra `dev` is installed by `make setup`")
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    experts, d_model, twice_d_ff = moe.experts.gate_up_EDH.shape
    config = MixtralConfig(
        hidden_size=d_model, intermediate_size=twice_d_ff // 2, num_local_experts=experts, num_experts_per_tok=moe.top_k
    )
    config._experts_implementation = "eager"
    block = MixtralSparseMoeBlock(config).double()
    weights = {
        "gate.weight": moe.router.weight,
        "experts.gate_up_proj": moe.experts.gate_up_EDH.mT,
        "experts.down_proj": moe.experts.down_EFD.mT,
    }
    block.load_state_dict(weights)
    return block


def test_the_experts_are_those_of_transformers():
    """Same routes into both, so that all is float64: its router always rounds to float32."""
    moe = moe_without_biases()
    block = block_of_transformers(moe)
    x_ND = torch.randn(40, 12, dtype=torch.float64, requires_grad=True)
    weight_ND = torch.randn(40, 12, dtype=torch.float64)
    expert_ids_NK, weights_NK = (part.detach() for part in moe.route(x_ND))
    weights_NK.requires_grad_()
    moe.route = lambda x_ND: (expert_ids_NK, weights_NK)

    y_ND, y_theirs_ND = moe(x_ND), block.experts(x_ND, expert_ids_NK, weights_NK)
    ours, theirs = moe.experts, block.experts
    gradients = torch.autograd.grad((y_ND * weight_ND).sum(), [x_ND, weights_NK, ours.gate_up_EDH, ours.down_EFD])
    gradients_theirs = torch.autograd.grad(
        (y_theirs_ND * weight_ND).sum(), [x_ND, weights_NK, theirs.gate_up_proj, theirs.down_proj]
    )
    torch.testing.assert_close(y_ND, y_theirs_ND, atol=1e-12, rtol=1e-12)
    for gradient, gradient_theirs in zip(gradients, gradients_theirs):
        if gradient.shape != gradient_theirs.shape:  # weights of experts: theirs are stored the other way round
            gradient_theirs = gradient_theirs.mT
        torch.testing.assert_close(gradient, gradient_theirs, atol=1e-12, rtol=1e-12)


def test_the_whole_layer_is_the_block_of_transformers():
    """Softmax over the chosen logits is theirs over all, divided by the sum of the chosen; 1e-6 for its float32."""
    moe = moe_without_biases()
    block = block_of_transformers(moe)
    x_BTD = torch.randn(4, 10, 12, dtype=torch.float64, requires_grad=True)
    weight_BTD = torch.randn(4, 10, 12, dtype=torch.float64)
    y_BTD, y_theirs_BTD = moe(x_BTD), block(x_BTD)
    torch.testing.assert_close(y_BTD, y_theirs_BTD, atol=1e-6, rtol=1e-6)
    gradients = torch.autograd.grad((y_BTD * weight_BTD).sum(), [x_BTD, moe.router.weight])
    gradients_theirs = torch.autograd.grad((y_theirs_BTD * weight_BTD).sum(), [x_BTD, block.gate.weight])
    for gradient, gradient_theirs in zip(gradients, gradients_theirs):
        torch.testing.assert_close(gradient, gradient_theirs, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    "tokens, experts, top_k",
    [
        pytest.param(3, 16, 2, id="more experts than tokens"),
        pytest.param(1, 8, 1, id="one token"),
        pytest.param(0, 4, 2, id="no token"),
        pytest.param(200, 5, 1, id="one expert's logit far below"),
    ],
)
def test_an_expert_that_no_token_picks_has_a_gradient_of_exactly_zero(tokens, experts, top_k):
    torch.manual_seed(0)
    moe = MoE(d_model=12, d_ff=10, experts=experts, top_k=top_k)
    with torch.no_grad():
        moe.router.bias[-1] = -1e3
    x_ND = torch.randn(tokens, 12, requires_grad=True)
    y_ND = moe(x_ND)
    y_ND.square().sum().backward()
    picked_E = torch.zeros(experts, dtype=torch.bool)
    picked_E[moe.route(x_ND)[0].flatten()] = True
    assert not picked_E.all()
    assert y_ND.shape == x_ND.grad.shape == (tokens, 12)
    for name, parameter in moe.named_parameters():
        assert parameter.grad.isfinite().all(), name
        # The softmax is over the chosen logits only, so the router learns nothing of the others either.
        assert (parameter.grad[~picked_E] == 0).all(), name
    for name, parameter in moe.experts.named_parameters():
        assert (parameter.grad[picked_E].flatten(1) != 0).any(dim=1).all(), name


def test_with_all_experts_chosen_every_one_has_a_gradient_from_a_single_token():
    torch.manual_seed(0)
    moe = MoE(d_model=12, d_ff=10, experts=4, top_k=4)
    moe(torch.randn(1, 12)).square().sum().backward()
    for name, parameter in moe.named_parameters():
        assert (parameter.grad.flatten(1) if parameter.dim() > 1 else parameter.grad[:, None]).any(dim=1).all(), name


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("batch, time", [(1, 1), (3, 5), (2, 11)])
def test_a_shorter_sequence_gives_the_logits_of_the_longer_ones_beginning(arm, batch, time):
    torch.manual_seed(0)
    model = Decoder(arm, SIZES, vocabulary=10).double()
    ids_BT = torch.randint(10, (3, SIZES.sequence))
    torch.testing.assert_close(model(ids_BT[:batch, :time]), model(ids_BT)[:batch, :time], atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("arm", ARMS)
def test_a_sequence_longer_than_the_model_has_positions_for_is_refused(arm):
    model = Decoder(arm, SIZES, vocabulary=10)
    with pytest.raises(ValueError, match=r"13 .*`sequence` = 12"):
        model(torch.zeros(2, 13, dtype=torch.long))


@pytest.mark.parametrize("top_k", [0, -1, 5])
def test_a_top_k_that_no_token_could_choose_is_refused(top_k):
    with pytest.raises(ValueError, match=f"{top_k}.* 4"):
        MoE(d_model=12, d_ff=10, experts=4, top_k=top_k)
    with pytest.raises(ValueError, match="top_k"):
        Decoder("moe", dataclasses.replace(SIZES, top_k=top_k), vocabulary=10)
