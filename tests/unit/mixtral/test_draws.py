"""The draws of the posted scripts: our fused layers against a decoder of single library layers in their order."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from postproof.core.errors import EngineError
from postproof.mixtral.draws import BalanceAsRun, RaceAsRun
from postproof.mixtral.settings import ModelSizes

SIZES = ModelSizes(d_model=16, heads=2, layers=2, sequence=8, dense_ffn=32, experts=4, expert_ffn=8, top_k=2)
VOCABULARY = 11


class SwiGLU(nn.Module):
    def __init__(self, d, f):
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(d, f), nn.Linear(d, f), nn.Linear(f, d)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Mixture(nn.Module):
    """Every expert for every token, then the chosen ones."""

    def __init__(self, d, f):
        super().__init__()
        self.router = nn.Linear(d, SIZES.experts)
        self.experts = nn.ModuleList(SwiGLU(d, f) for _ in range(SIZES.experts))

    def forward(self, x):
        logits, chosen = self.router(x).topk(SIZES.top_k, dim=-1)
        each = torch.stack([expert(x) for expert in self.experts], dim=-2)
        picked = each.gather(-2, chosen.unsqueeze(-1).expand(*chosen.shape, x.shape[-1]))
        return (logits.softmax(-1).unsqueeze(-1) * picked).sum(-2)


class Block(nn.Module):
    def __init__(self, moe):
        super().__init__()
        d = SIZES.d_model
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.q, self.k, self.v, self.out = (nn.Linear(d, d) for _ in range(4))
        self.ffn = Mixture(d, SIZES.expert_ffn) if moe else SwiGLU(d, SIZES.dense_ffn)

    def forward(self, x):
        h = self.norm1(x)
        q, k, v = (part(h).unflatten(-1, (SIZES.heads, -1)).transpose(1, 2) for part in (self.q, self.k, self.v))
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        mixed = scores.masked_fill(future, -math.inf).softmax(-1) @ v
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.ffn(self.norm2(x))


class Reference(nn.Module):
    def __init__(self, moe):
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, SIZES.d_model)
        self.position = nn.Embedding(SIZES.sequence, SIZES.d_model)
        self.blocks = nn.Sequential(*(Block(moe) for _ in range(SIZES.layers)))
        self.norm = nn.LayerNorm(SIZES.d_model)
        self.head = nn.Linear(SIZES.d_model, VOCABULARY, bias=False)

    def forward(self, ids):
        return self.head(self.norm(self.blocks(self.token(ids) + self.position.weight[: ids.shape[1]])))


@pytest.mark.parametrize("source, moes", [(RaceAsRun, [False, True]), (BalanceAsRun, [True, True])])
def test_each_arm_has_the_weights_of_library_layers_built_one_after_the_other(source, moes):
    torch.manual_seed(7)
    references = [Reference(moe) for moe in moes]
    following = torch.rand(())
    ids = torch.arange(16).view(2, 8) % VOCABULARY
    for (arm, ffn), reference in zip(source.models.items(), references):
        ours = source(7).decoder(arm, ffn, SIZES, VOCABULARY)
        assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in reference.parameters())
        torch.testing.assert_close(ours(ids), reference(ids), rtol=1e-5, atol=1e-6)
    assert torch.rand(()) == following


def test_windows_of_the_race_go_on_from_checkpoint_to_checkpoint_and_those_of_the_balance_runs_start_anew():
    tokens = torch.arange(1000)
    race, balance = RaceAsRun(7), BalanceAsRun(11)
    expected = torch.Generator().manual_seed(784)
    for step in (1, 2):
        starts = torch.randint(0, 1000 - 8 - 1, (4,), generator=expected)
        assert race.train_windows(step, tokens, 8, 4)[0][:, 0].tolist() == starts.tolist()
    drawn = torch.Generator().manual_seed(10_784)
    for step in (1, 2):
        for inputs, _ in race.val_windows(step, tokens, 8, 4, batches=3):
            assert inputs[:, 0].tolist() == torch.randint(0, 991, (4,), generator=drawn).tolist()
    for step in (3, 1):
        starts = torch.randint(0, 991, (4,), generator=torch.Generator().manual_seed(11 + 1234 + step))
        assert balance.train_windows(step, tokens, 8, 4)[0][:, 0].tolist() == starts.tolist()
        of_step = torch.Generator().manual_seed(11 + 1234 + 100_000 + step)
        for inputs, _ in balance.val_windows(step, tokens, 8, 4, batches=3):
            assert inputs[:, 0].tolist() == torch.randint(0, 991, (4,), generator=of_step).tolist()


def test_as_run_the_last_window_is_never_drawn():
    tokens = torch.arange(12)
    inputs, _ = RaceAsRun(7).train_windows(1, tokens, 8, 500)
    assert set(inputs[:, 0].tolist()) == {0, 1, 2}


def test_a_torch_that_draws_otherwise_is_refused_before_any_training(monkeypatch):
    monkeypatch.setattr(torch, "randn", lambda size, generator: torch.zeros(size))
    with pytest.raises(EngineError, match="draws other random numbers"):
        RaceAsRun(7).decoder("moe", "moe", SIZES, VOCABULARY)
