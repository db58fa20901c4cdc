"""A run that stops, for whatever reason, leaves the last good files, and goes on to the bytes of one that never did."""

import os
import random
import shutil
import signal
from multiprocessing import Process
from pathlib import Path

import pytest
import torch

from faults_helpers import LINES, checkpoints, contents, steps_to_go, train_line, wait_until, within
from postproof import cli
from postproof.core import files
from postproof.core.errors import ArtefactError, DeviceError, TrainingError
from postproof.mixtral.model import ARMS

pytestmark = pytest.mark.fault("killed, interrupted, or a loss that is no number", "a training")

LOG = Path("../run.log")
KILLED, KILLED_IN_A_WRITE = -signal.SIGKILL, -signal.SIGXFSZ
needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")


def of_arm(arm: str) -> dict[str, bytes]:
    """The files of the run that was never stopped."""
    return {name: file for name, file in contents("runs").items() if name.startswith(arm)}


def state_of(arm: str, folder: str, seed: int = 7) -> Path:
    return Path(folder, f"{arm}-seed{seed}.resume.safetensors")


def started(start, line: list[str]) -> Process:
    """A run that has said how many steps it has to go, or has ended."""
    attempts = len(steps_to_go(LOG))
    process = start(line)
    wait_until(lambda: not process.is_alive() or len(steps_to_go(LOG)) > attempts)
    return process


@pytest.fixture
def stop(run):
    """Kills a run while it saves its third checkpoint: the state of the second is there. Gives the state's path."""

    def stop(arm: str, folder: str, seed: int = 7, **settings) -> Path:
        assert run(train_line(arm, seed, folder, **settings), kill_before=10) == KILLED
        assert files.load_tensors(state_of(arm, folder, seed))[1]["step"] > 0
        return state_of(arm, folder, seed)

    return stop


# --- killed ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arm", ARMS)
def test_a_run_killed_before_any_change_to_its_files_ends_with_the_same_bytes(folder, run, arm):
    settings = dict(checkpoint_flops=2e6)
    line = ["--log", str(LOG), *train_line(arm, folder="again", **settings)]
    ends, starts = [], set()
    for _ in within(240):
        shutil.rmtree("again", ignore_errors=True)
        LOG.unlink(missing_ok=True)
        code = run(line, kill_before=len(ends))
        if code == KILLED:
            state_was_saved = state_of(arm, "again").exists()
            assert run(line) == 0
            left, total = steps_to_go(LOG)[-1]
            assert (left < total) == state_was_saved
            starts.add(left)
        ends.append(contents("again"))
        if code == 0:
            break
    whole = ends[-1]
    assert whole.keys() == of_arm(arm).keys()
    assert [moment for moment, end in enumerate(ends) if end != whole] == []
    total = checkpoints(arm, **settings)[-1]
    saved = {total - step for step in (0, *checkpoints(arm, **settings))}
    assert starts == saved and len(ends) > 20, "killed before, at and after each checkpoint and output"


@pytest.mark.slow
@pytest.mark.parametrize("arm", ARMS)
def test_a_run_killed_again_and_again_at_random_moments_ends_with_the_same_bytes(folder, start, arm):
    settings = dict(budget_flops=1e7, checkpoint_flops=1)  # a checkpoint every step
    line = ["--log", str(LOG), *train_line(arm, folder="again", **settings)]
    whole = start(train_line(arm, folder="whole", **settings))
    LOG.touch()
    seconds = random.Random(arm)
    for _ in within(240):
        process = started(start, line)
        process.join(seconds.uniform(0.01, 0.06))
        process.kill()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == KILLED
    whole.join(60)
    assert contents("again") == contents("whole")
    assert contents("again").keys() == of_arm(arm).keys()
    starts = [left for left, _ in steps_to_go(LOG)]
    assert len(set(starts)) > 1, "killed at least once in the middle, however fast the machine is"


@pytest.mark.parametrize("arm", ARMS)
def test_a_run_killed_in_the_middle_of_a_write_ends_with_the_same_bytes(folder, run, arm):
    line = train_line(arm, folder="again")
    assert run(line, largest_file=4096, kill_there=True) == KILLED_IN_A_WRITE
    assert contents("again"), "the part that was written"
    assert run(line) == 0
    assert contents("again") == of_arm(arm)


def test_a_table_killed_in_the_middle_of_its_write_is_the_old_one_and_comes_out_the_same(folder, run):
    Path("mixtral/metrics/race.csv").write_text("old\n")
    assert run(LINES["race_metrics"], largest_file=1000, kill_there=True) == KILLED_IN_A_WRITE
    tables = {"race.csv", "race_equal_flops.csv", "race_matched_axes.csv"}
    assert Path("mixtral/metrics/race.csv").read_text() == "old\n" and len(contents("mixtral/metrics")) == 4
    assert run(LINES["race_metrics"]) == 0 and contents("mixtral/metrics").keys() == tables


def test_an_interrupted_run_says_so_and_ends_with_the_same_bytes(folder, start, run):
    settings = dict(budget_flops=2e8, checkpoint_flops=1e7)
    line = ["--log", str(LOG), *train_line("dense", folder="again", **settings)]
    process = start(line)
    wait_until(lambda: not process.is_alive() or state_of("dense", "again").exists())
    os.kill(process.pid, signal.SIGINT)
    process.join(60)
    assert process.exitcode == 130 and set(contents("again")) == {state_of("dense", "again").name}
    assert run(line) == 0 == run(train_line("dense", folder="whole", **settings))
    assert contents("again") == contents("whole")
    [(left, total), (left_then, _)] = steps_to_go(LOG)
    assert left == total > left_then


# --- states that are not to be used ----------------------------------------------------------------------------------


def from_another_seed(stop):
    shutil.move(stop("dense", "again", seed=8), state_of("dense", "again"))


def from_another_arm(stop):
    shutil.move(stop("moe", "again"), state_of("dense", "again"))


def from_other_settings(stop):
    stop("dense", "again", learning_rate=2e-3)


def from_another_corpus(stop):
    text, corpus = Path("raw/plays.txt"), Path("prepared/corpus.safetensors")
    original = text.read_text(), corpus.read_bytes()
    text.write_text(original[0].replace("LORD", "LADY"))
    assert cli.main(LINES["prepare_corpus"]) == 0
    stop("dense", "again")
    text.write_text(original[0]), corpus.write_bytes(original[1])


def weights_in_its_place(stop):
    Path("again").mkdir()
    shutil.copy("runs/dense-seed7.safetensors", state_of("dense", "again"))


@pytest.mark.parametrize(
    "leave_a_state",
    [from_another_seed, from_another_arm, from_other_settings, from_another_corpus, weights_in_its_place],
)
def test_a_state_that_is_not_of_this_very_run_is_not_gone_on_from(folder, run, stop, leave_a_state):
    leave_a_state(stop)
    assert state_of("dense", "again").exists()
    assert run(["--log", str(LOG), *train_line("dense", folder="again")]) == 0
    total = checkpoints("dense")[-1]
    assert steps_to_go(LOG) == [(total, total)]
    dense = {name: file for name, file in contents("again").items() if name.startswith("dense-seed7")}
    assert dense == of_arm("dense")


def test_a_truncated_state_is_named_and_leaves_the_outputs_of_the_run_before(folder, fails, stop, run):
    state = stop("dense", "runs")
    state.write_bytes(state.read_bytes()[:-100])
    fails(train_line("dense"), ArtefactError, str(state), "delete", cause="SafetensorError")
    whole = of_arm("dense")
    state.unlink()
    assert run(train_line("dense")) == 0
    del whole[state.name]
    assert of_arm("dense") == whole


# --- losses that are no number ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arm", ARMS)
# AdamW's weight decay multiplies weights by 1 - rate / 100 each step: at 220 they grow by a fifth a step.
@pytest.mark.parametrize("learning_rate", [pytest.param(1e30, id="at once"), pytest.param(220, id="after checkpoints")])
def test_a_loss_that_is_not_finite_stops_the_run_and_leaves_the_outputs_of_the_one_before(
    folder, fails, arm, learning_rate
):
    line = train_line(arm, learning_rate=learning_rate)
    message = fails(line, TrainingError, "loss is nan", f"arm: {arm}", "seed: 7", f"{learning_rate:g}", "lower")
    step = int(message.split("step: ")[1].split("\n")[0])
    # The first update spoils the weights, and the second step tells.
    assert step == 2 if learning_rate == 1e30 else step > 10, "some checkpoints were saved by then, or none"


def test_a_damaged_weight_in_a_state_stops_the_run_once_and_not_for_ever(folder, fails, stop, run):
    whole = of_arm("dense")
    state = stop("dense", "runs")
    tensors, metadata = files.load_tensors(state)
    tensors["model.head.weight"][0, 0] = torch.nan
    files.save_tensors(state, tensors, metadata)
    assert run(train_line("dense")) == TrainingError.exit_code
    assert of_arm("dense") == whole, "the outputs of the run before, and no state that leads to the same end"
    assert run(train_line("dense")) == 0
    assert of_arm("dense") == whole


# --- devices ---------------------------------------------------------------------------------------------------------


@needs_no_gpu
def test_cuda_where_there_is_none_is_a_device_error(folder, fails):
    fails(train_line("dense", device="cuda"), DeviceError, "device: cuda", "not available", "CUDA", mode="fast")


def test_cuda_in_exact_mode_is_a_device_error_with_the_way_to_fast_mode(folder, fails):
    fails(train_line("dense", device="cuda"), DeviceError, "exact mode", "mode=fast device=cuda")


@needs_no_gpu
def test_auto_where_there_is_no_gpu_is_no_error(folder):
    assert cli.main(["--mode", "fast", *train_line("dense", folder="again", device="auto")]) == 0
