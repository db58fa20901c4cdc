"""On a CUDA device: `pytest -m gpu tests/unit/core/test_gpu.py`."""

import pytest
import torch

from postproof.core import devices
from postproof.data.prepare_corpus import Corpus
from postproof.mixtral.flops import step_flops
from postproof.mixtral.model import ARMS, ModelSizes
from postproof.mixtral.train_race import RaceSettings
from postproof.mixtral.training import Run

pytestmark = pytest.mark.gpu

SIZES = ModelSizes(d_model=64, heads=4, layers=2, sequence=32, dense_ffn=128, experts=8, expert_ffn=16, top_k=2)


def run(arm: str, device: str, **options) -> Run:
    ids = torch.randint(20, (4000,), generator=torch.Generator().manual_seed(0))
    corpus = Corpus(ids[:3600], ids[3600:], [chr(97 + index) for index in range(20)])
    flops = step_flops(arm, SIZES, batch=4)
    settings = RaceSettings(4, 1e-3, budget_flops=20 * flops, checkpoint_flops=5 * flops, val_batches=3)
    return Run(arm, 1, SIZES, settings, corpus, torch.device(device), **options)


def rows(arm: str, device: str, state) -> list[dict]:
    return run(arm, device).to_end(state, log=None)


@pytest.mark.parametrize("arm", ARMS)
def test_a_gpu_follows_the_cpu_from_the_same_seed(arm, tmp_path):
    """Same weights and batches, so the losses part by rounding only; 20 steps of it stay far below 1 %."""
    on_cpu, on_gpu = rows(arm, "cpu", tmp_path / "cpu.safetensors"), rows(arm, "cuda", tmp_path / "gpu.safetensors")
    assert [row["step"] for row in on_cpu] == [row["step"] for row in on_gpu]
    for cpu, gpu in zip(on_cpu, on_gpu):
        for column in ("train_loss", "val_loss_as_posted", "val_loss_fixed_windows"):
            assert gpu[column] == pytest.approx(cpu[column], rel=0.01)


def test_a_state_saved_on_a_gpu_is_resumed_there(tmp_path):
    state = tmp_path / "state.safetensors"
    first = rows("moe", "cuda", state)
    assert rows("moe", "cuda", state) == first, "a complete state is read back, and nothing is trained again"


def test_auto_takes_the_gpu():
    assert devices.find("auto").type == "cuda"
    assert devices.require("cuda", mode="fast").type == "cuda"


FULL = {"precision": torch.bfloat16, "compiled": True}  # params.yaml, mixtral.full.on_gpu


@pytest.mark.parametrize("options", [{}, FULL], ids=["float32", "full"])
@pytest.mark.parametrize("arm", ARMS)
def test_the_same_bytes_twice_on_one_card(arm, options, tmp_path):
    runs = [run(arm, "cuda", **options) for _ in range(2)]
    first, second = (each.to_end(tmp_path / str(index), log=None) for index, each in enumerate(runs))
    assert first == second
    weights = [each.model.state_dict() for each in runs]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("options", [{}, FULL], ids=["float32", "full"])
@pytest.mark.parametrize("arm", ARMS)
def test_the_host_does_not_wait_in_a_step(arm, options):
    training = run(arm, "cuda", **options)
    for _ in range(3):  # compiles, and makes the optimiser's state
        training.train_step()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(5):
            training.train_step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_bfloat16_and_a_compiler_follow_float32(tmp_path):
    plain, full = (run("moe", "cuda", **options).to_end(tmp_path / "state", log=None) for options in ({}, FULL))
    for a, b in zip(plain, full):
        assert b["val_loss_fixed_windows"] == pytest.approx(a["val_loss_fixed_windows"], rel=0.02)
