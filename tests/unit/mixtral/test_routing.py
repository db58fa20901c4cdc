"""What routers did: the auxiliary loss against its formula and bounds, counts and statistics against plain counting."""

import itertools
import math

import numpy as np
import pytest
import torch

from postproof.mixtral.model import Decoder
from postproof.mixtral.routing import (
    RoutingCounts,
    auxiliary_loss,
    busiest_share,
    entropy_nats,
    mutual_information_nats,
    router_logits,
)
from postproof.mixtral.settings import ModelSizes

SIZES = ModelSizes(d_model=16, heads=2, layers=2, sequence=8, dense_ffn=32, experts=4, expert_ffn=8, top_k=2)


def logits_of(probabilities: list[list[float]]) -> torch.Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


def test_the_auxiliary_loss_is_its_formula_term_by_term():
    generator = torch.Generator().manual_seed(0)
    logits_NE = torch.randn(37, 5, dtype=torch.float64, generator=generator) * 2
    total = 0.0
    for expert in range(5):
        routed = sum(max(range(5), key=row.__getitem__) == expert for row in logits_NE.tolist())
        mass = sum(math.exp(row[expert]) / sum(map(math.exp, row)) for row in logits_NE.tolist())
        total += routed / 37 * mass / 37
    assert auxiliary_loss(logits_NE).item() == pytest.approx(5 * total, rel=1e-12)


@pytest.mark.parametrize("experts", [2, 8])
def test_even_routing_gives_one_and_full_collapse_the_number_of_experts(experts):
    sure = torch.full((experts, experts), -50.0, dtype=torch.float64).fill_diagonal_(50)
    assert auxiliary_loss(sure).item() == pytest.approx(1, rel=1e-12)
    collapsed = sure[:1].expand(experts, experts)
    assert auxiliary_loss(collapsed).item() == pytest.approx(experts, rel=1e-12)


def test_where_shares_and_probabilities_agree_one_is_the_least_and_only_even_routing_reaches_it():
    for shares in itertools.product(range(1, 6), repeat=3):
        certain = torch.full((3, 3), -60.0, dtype=torch.float64).fill_diagonal_(60)
        logits_NE = certain.repeat_interleave(torch.tensor(shares), dim=0)  # p is as good as one-hot, so f = p
        loss = auxiliary_loss(logits_NE).item()
        assert loss > 1 - 1e-9 and (loss < 1 + 1e-9) == (len(set(shares)) == 1)


def test_one_is_not_the_least_of_all():
    # Six of ten tokens choose the first expert by a hair, four the second for certain: f = (.6, .4), p = (.31, .69).
    logits_NE = logits_of([[0.51, 0.49]] * 6 + [[1e-9, 1]] * 4)
    assert auxiliary_loss(logits_NE).item() == pytest.approx(2 * (0.6 * 0.306 + 0.4 * 0.694), rel=1e-6)
    assert auxiliary_loss(logits_NE) < 0.93


def test_the_gradient_of_the_auxiliary_loss_lowers_the_busiest_experts_probability():
    generator = torch.Generator().manual_seed(0)
    logits_NE = (torch.randn(500, 4, generator=generator) + torch.tensor([2.0, 0, 0, 0])).requires_grad_()
    auxiliary_loss(logits_NE).backward()
    assert (logits_NE.grad[:, 0] > 0).all(), "descent lowers this logit for every token"
    torch.testing.assert_close(logits_NE.grad.sum(dim=1), torch.zeros(500), atol=1e-8, rtol=0)


def test_logits_are_those_that_the_layers_route_by_and_the_hooks_go_away():
    torch.manual_seed(0)
    model = Decoder("moe", SIZES, vocabulary=10)
    ids_BT = torch.randint(10, (3, 8))
    seen = []
    for block in model.blocks:
        block.ffn.register_forward_pre_hook(lambda ffn, inputs: seen.append(ffn.router(inputs[0].reshape(-1, 16))))
    with torch.no_grad():
        before = model(ids_BT)
        with router_logits(model) as logits:
            assert torch.equal(model(ids_BT), before)
    # The pre-hook calls the router itself, so each layer shows up twice with the same logits.
    assert len(logits) == 4 and all(torch.equal(logits[i], logits[i + 1]) for i in (0, 2))
    assert torch.equal(logits[0], seen[-2]) and logits[0].shape == (24, 4)
    assert not any(block.ffn.router._forward_hooks for block in model.blocks)


def test_counts_are_those_of_plain_counting():
    generator = torch.Generator().manual_seed(1)
    counts, cells = RoutingCounts(layers=2, top_k=2, vocabulary=7, experts=4), {}
    for _ in range(3):
        ids_BT = torch.randint(7, (2, 5), generator=generator)
        by_layer = [torch.randn(10, 4, generator=generator) for _ in range(2)]
        counts.add(ids_BT, by_layer)
        for layer, logits_NE in enumerate(by_layer):
            for token, row in zip(ids_BT.flatten().tolist(), logits_NE.tolist()):
                for slot, expert in enumerate(sorted(range(4), key=lambda e: -row[e])[:2]):
                    cells[layer, slot, token, expert] = cells.get((layer, slot, token, expert), 0) + 1
    tensors = counts.tensors()
    assert tensors["choices_LKVE"].sum() == 2 * 2 * 3 * 10
    assert all(tensors["choices_LKVE"][cell] == count for cell, count in cells.items())
    torch.testing.assert_close(tensors["probability_LE"].sum(dim=1), torch.ones(2, dtype=torch.float64))


def test_entropy_and_busiest_share_at_their_bounds():
    assert entropy_nats(np.array([5, 5, 5, 5])) == pytest.approx(math.log(4)) and entropy_nats(np.array([0, 9])) == 0
    assert busiest_share(np.array([5, 5, 5, 5])) == 0.25 and busiest_share(np.array([0, 9])) == 1
    assert entropy_nats(np.array([[1, 1], [3, 1]])).shape == (2,)
    assert entropy_nats(np.array([3, 1])) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))


def test_mutual_information_is_all_when_the_token_decides_and_none_when_it_does_not():
    decided = np.diag([10_000] * 8)
    assert mutual_information_nats(decided) == pytest.approx(math.log(8), abs=1e-3)
    # 2 n I is about chi-squared with 7 x 63 degrees of freedom where there is no dependence: its deviation here is
    # sqrt(2 x 441) / 2n = 3.0e-4, and the plain estimate would be 4.4e-3 too large. Six deviations: once in 1e9.
    tokens, experts = np.random.default_rng(0).integers([[64], [8]], size=(2, 50_000))
    counts_VE = np.zeros((64, 8), dtype=int)
    np.add.at(counts_VE, (tokens, experts), 1)
    assert abs(mutual_information_nats(counts_VE)) < 6 * 3.0e-4
