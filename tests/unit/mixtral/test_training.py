"""The training loop: what both arms share, what a checkpoint is, and that a resumed run is the uninterrupted one."""

import itertools

import pytest
import torch

from postproof.data.prepare_corpus import Corpus
from postproof.mixtral.draws import STREAMS, initial_decoder, random_windows, stream, tiling_windows
from postproof.mixtral.flops import step_flops
from postproof.mixtral.model import ARMS
from postproof.mixtral.settings import ModelSizes, RaceSettings
from postproof.mixtral.training import Run, step

SIZES = ModelSizes(d_model=16, heads=2, layers=1, sequence=8, dense_ffn=32, experts=4, expert_ffn=8, top_k=2)
VOCABULARY = [chr(97 + index) for index in range(10)]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    ids = torch.randint(10, (1000,), generator=torch.Generator().manual_seed(0))
    return Corpus(ids[:900], ids[900:], VOCABULARY)


def settings(arm: str, steps: int = 12, every: float = 2.5) -> RaceSettings:
    flops = step_flops(arm, SIZES, batch=2)
    return RaceSettings(2, 1e-2, budget_flops=steps * flops, checkpoint_flops=every * flops, val_batches=2)


def make_run(arm: str, corpus: Corpus, seed: int = 3, made_of: str | None = "this", **changes) -> Run:
    return Run(arm, seed, SIZES, settings(arm, **changes), corpus, torch.device("cpu"), made_of)


def test_streams_of_one_seed_and_of_two_seeds_differ():
    firsts = [stream(seed, name).initial_seed() for seed in range(50) for name in STREAMS]
    assert len(set(firsts)) == len(firsts)


def test_both_arms_of_a_seed_see_the_same_batches_in_the_same_order(corpus):
    dense, moe = (make_run(arm, corpus) for arm in ARMS)
    for streams in [
        (dense.draws.train_batches, moe.draws.train_batches),
        (dense.draws.val_batches, moe.draws.val_batches),
    ]:
        for _ in range(5):
            (x, _), (y, _) = (random_windows(corpus.train, 8, 2, generator) for generator in streams)
            assert torch.equal(x, y)


def test_targets_are_the_next_tokens(corpus):
    inputs, targets = random_windows(corpus.train, 8, 50, stream(1, "train_batches"))
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    text = "".join(map(str, corpus.train.tolist()))
    for window, last in zip(inputs.tolist(), targets[:, -1].tolist()):
        assert "".join(map(str, window)) + str(last) in text


def test_every_start_can_be_drawn_and_none_runs_over_the_end():
    tokens = torch.arange(12)
    inputs, targets = random_windows(tokens, 8, 500, stream(1, "train_batches"))
    assert set(inputs[:, 0].tolist()) == {0, 1, 2, 3} and targets.max() == 11


@pytest.mark.parametrize("length", [9, 16, 17, 18, 100])
def test_tiling_windows_cover_the_split_once(length):
    tokens = torch.arange(length)
    targets = torch.cat([targets.flatten() for _, targets in tiling_windows(tokens, 8, batch=3)])
    whole_windows = (length - 1) // 8
    assert targets.tolist() == list(range(1, 8 * whole_windows + 1))


@pytest.mark.parametrize("arm", ARMS)
def test_a_checkpoint_is_where_the_flops_pass_the_next_multiple_and_at_the_end(arm, corpus, tmp_path):
    rows = make_run(arm, corpus, steps=12, every=2.5).to_end(tmp_path / "state.safetensors", log=None)
    assert [row["step"] for row in rows] == [3, 5, 8, 10, 12]
    assert all(row["cumulative_flops"] == row["step"] * step_flops(arm, SIZES, 2) for row in rows)
    assert all(row["tokens_seen"] == row["step"] * 2 * 8 for row in rows)


def test_posted_steps_follow_from_the_posted_budget():
    posted = ModelSizes(192, 6, 3, 96, 768, 8, 96, 2)
    budget = RaceSettings(16, 3e-4, budget_flops=2e11, checkpoint_flops=2e10, val_batches=30)
    tiny = Corpus(torch.zeros(200, dtype=torch.long), torch.zeros(200, dtype=torch.long), ["a"])
    steps = {arm: Run(arm, 7, posted, budget, tiny, torch.device("cpu")).total_steps for arm in ARMS}
    assert steps == {"dense": 12, "moe": 25}


@pytest.mark.parametrize("arm", ARMS)
def test_training_lowers_the_loss_and_fixed_windows_are_the_whole_split(arm, tmp_path):
    ids = torch.arange(1000) % 10  # each letter tells the next
    corpus = Corpus(ids[:900], ids[900:], VOCABULARY)
    run = make_run(arm, corpus, steps=60, every=20)
    rows = run.to_end(tmp_path / "state.safetensors", log=None)
    assert rows[-1]["val_loss_fixed_windows"] < 0.5 * rows[0]["val_loss_fixed_windows"]
    inputs, targets = (torch.cat(parts) for parts in zip(*tiling_windows(corpus.val, 8, 2)))
    with torch.no_grad():
        assert run.model.loss(inputs, targets).item() == pytest.approx(rows[-1]["val_loss_fixed_windows"], rel=1e-5)


class Killed(Exception):
    pass


@pytest.mark.parametrize("arm, checkpoint", list(itertools.product(ARMS, [1, 2, 4])))
def test_a_run_stopped_after_a_checkpoint_resumes_to_the_same_end(arm, checkpoint, corpus, tmp_path):
    whole = make_run(arm, corpus)
    expected = whole.to_end(tmp_path / "whole.safetensors", log=None)

    stopped = make_run(arm, corpus)
    save, saved = stopped._save, itertools.count(1)

    def save_then_stop(path):
        save(path)
        if next(saved) == checkpoint:
            raise Killed

    stopped._save = save_then_stop
    with pytest.raises(Killed):
        stopped.to_end(tmp_path / "state.safetensors", log=None)
    resumed = make_run(arm, corpus)
    assert resumed.to_end(tmp_path / "state.safetensors", log=None) == expected
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_a_state_of_another_run_is_not_resumed(corpus, tmp_path):
    state = tmp_path / "state.safetensors"
    make_run("dense", corpus, seed=4, made_of="another").to_end(state, log=None)
    expected = make_run("dense", corpus, seed=5).to_end(tmp_path / "fresh.safetensors", log=None)
    assert make_run("dense", corpus, seed=5).to_end(state, log=None) == expected


def test_a_run_of_which_nobody_says_what_it_is_made_of_keeps_and_resumes_no_state(corpus, tmp_path):
    state = tmp_path / "state.safetensors"
    expected = make_run("dense", corpus, made_of=None).to_end(state, log=None)
    assert not state.exists()
    make_run("dense", corpus, seed=4).to_end(state, log=None)
    before = state.read_bytes()
    assert make_run("dense", corpus, made_of=None).to_end(state, log=None) == expected
    assert state.read_bytes() == before


@pytest.mark.parametrize("arm", ARMS)
def test_a_run_starts_from_the_initial_decoder_of_its_seed(arm, corpus):
    run, decoder = make_run(arm, corpus), initial_decoder(arm, SIZES, len(VOCABULARY), seed=3)
    for name, value in decoder.state_dict().items():
        assert torch.equal(value, run.model.state_dict()[name]), name


def test_a_step_moves_the_weights_against_the_gradient_and_gives_the_loss_before_it():
    weight = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
    optimiser = torch.optim.SGD([weight], lr=0.1)
    for _ in range(2):  # the second one starts from no gradient too
        before = weight.detach().clone()
        assert step(lambda: (weight**2).sum(), optimiser).item() == pytest.approx((before**2).sum().item())
        torch.testing.assert_close(weight.detach(), before - 0.1 * 2 * before)
