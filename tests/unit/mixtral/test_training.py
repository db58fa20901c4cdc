"""The training loop: what both arms share, what a checkpoint is, and that a resumed run is the uninterrupted one."""

import itertools
import shutil
from contextlib import nullcontext

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode

from postproof.core import linalg
from postproof.core.errors import TrainingError
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


def make_run(arm: str, corpus: Corpus, seed: int = 3, made_of: str | None = "this", on_gpu=(), **changes) -> Run:
    """`on_gpu`: what a GPU would have by itself, or by the params of the full tier."""
    return Run(arm, seed, SIZES, settings(arm, **changes), corpus, torch.device("cpu"), made_of, **dict(on_gpu))


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


# What a GPU computes in, tried on the CPU.


@pytest.fixture
def torchs_products():
    """As in fast mode: the pinned ones have no bfloat16."""
    with linalg.through_torch():
        yield


def losses(run: Run, tmp_path) -> list[tuple[float, float]]:
    return [(row["train_loss"], row["val_loss_fixed_windows"]) for row in run.to_end(tmp_path / "state", log=None)]


@pytest.mark.parametrize(
    ("on_gpu", "tolerance"),
    [({"fused": True}, 1e-5), ({"fused": True, "precision": torch.bfloat16}, 0.02)],
    ids=["fused", "bfloat16"],
)
@pytest.mark.parametrize("arm", ARMS)
def test_a_run_as_on_a_gpu_follows_the_plain_one(arm, on_gpu, tolerance, corpus, tmp_path, torchs_products):
    (tmp_path / "plain").mkdir()
    expected = losses(make_run(arm, corpus, made_of=None), tmp_path / "plain")
    run = make_run(arm, corpus, made_of=None, on_gpu=on_gpu)
    assert losses(run, tmp_path) == [pytest.approx(pair, rel=tolerance) for pair in expected]
    assert {parameter.dtype for parameter in run.model.parameters()} == {torch.float32}


def test_in_bfloat16_products_lose_digits_and_validation_does_not(corpus, torchs_products):
    plain, run = (make_run("dense", corpus, on_gpu=gpu) for gpu in ({}, {"precision": torch.bfloat16}))
    assert run.mean_loss_of_drawn_windows() == plain.mean_loss_of_drawn_windows()
    assert run.train_step() != plain.train_step()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler here (Debian: g++)")
@pytest.mark.parametrize("arm", ARMS)
def test_a_compiled_run_follows_the_plain_one(arm, corpus, tmp_path, torchs_products):
    (tmp_path / "plain").mkdir()
    expected = losses(make_run(arm, corpus, made_of=None), tmp_path / "plain")
    run = make_run(arm, corpus, made_of=None, on_gpu=dict(fused=True, precision=torch.bfloat16, compiled=True))
    assert losses(run, tmp_path) == [pytest.approx(pair, rel=0.02) for pair in expected]


@pytest.mark.parametrize(("fused", "reads"), [(True, False), (False, True)])
def test_the_host_reads_nothing_in_a_step_with_fused_kernels(fused, reads, corpus, torchs_products):
    """Tensors without values stop at whatever the host would have to wait for: the counts of each expert, say."""
    model = make_run("moe", corpus, on_gpu={"fused": fused}).model
    stops = pytest.raises((DataDependentOutputException, DynamicOutputShapeException)) if reads else nullcontext()
    with FakeTensorMode(allow_non_fake_inputs=True) as fake, stops:
        fakes = [fake.from_tensor(torch.zeros(2, 8, dtype=torch.long)) for _ in range(2)]
        with torch.autocast("cpu", torch.bfloat16):
            loss = model.loss(*fakes)
        loss.backward()


def test_a_loss_that_is_looked_at_later_is_told_with_its_step_and_leaves_no_state(corpus, tmp_path):
    state = tmp_path / "state.safetensors"
    run = make_run("dense", corpus, steps=12, every=6)
    run.looked_at_every = 64
    losses_of, calls = run._losses, itertools.count(1)

    def from_the_ninth_on_not_a_number(*batch):
        loss, reported = losses_of(*batch)
        return (loss * torch.nan if next(calls) >= 9 else loss), reported

    run._losses = from_the_ninth_on_not_a_number
    with pytest.raises(TrainingError) as raised:
        run.to_end(state, log=None)
    assert raised.value.context["step"] == 9 and run.step == 12
    assert [row["step"] for row in run.rows] == [6] and not state.exists()
