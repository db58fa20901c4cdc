"""Under Snakemake, a job that fails or is killed leaves its last good files, and these do not pass as current."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from faults_helpers import CHARACTERS, SIZES, copy_of_project, steps_to_go, wait_until
from workflow_helpers import Checkout, computed

pytestmark = pytest.mark.fault("job that fails, is killed or interrupted", "snakemake")

RUN = "results/mixtral/runs/race/dense-seed7"
STATE = f"{RUN}.resume.safetensors"
TABLE = "results/mixtral/metrics/race.csv"
FIGURE = "results/mixtral/figures/race_texts.svg"
CORPUS = "data/prepared/mixtral_corpus.safetensors"
SCHEMA = "workflow/schemas/tables/mixtral/race.yaml"
LOG = "logs/train_race/results/dense-seed7.log"
TINY = {
    "mixtral.corpus": dict(source="text.txt", characters=CHARACTERS, train_fraction=0.9),
    "mixtral.model": SIZES,
    "mixtral.optimiser": dict(batch=2, learning_rate=1e-3),
    "mixtral.race": dict(seeds=[7, 8], posted_seed=7),
    # 740 dense steps, about a second, with 20 checkpoints; 982 steps of the MoE.
    "mixtral.race.training": dict(budget_flops=2e8, checkpoint_flops=1e7, val_batches=2),
    "mixtral.telemetry": dict(devices=[2, 4]),
}
FASTER = {"mixtral.optimiser": {"learning_rate": 2e-3}}
TINY_AGAIN = {"mixtral.optimiser": {"learning_rate": 1e-3}}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Checkout:
    """Built up to the metrics table. Not to be changed."""
    checkout = copy_of_project(tmp_path_factory.mktemp("engine") / "postproof")
    checkout.append("text.txt", "What hour is it now, and who goes there? Nay, answer me.\n" * 50)
    checkout.set_params(TINY)
    checkout.snakemake(TABLE)
    return checkout


@pytest.fixture(scope="module")
def faster(built, tmp_path_factory) -> dict[str, str]:
    """The artefacts after one run at another learning rate that nothing stopped."""
    checkout = built.copy(tmp_path_factory.mktemp("faster") / "postproof")
    checkout.set_params(FASTER)
    checkout.snakemake(f"{RUN}.csv")
    return checkout.artefacts()


@pytest.fixture
def project(built, tmp_path) -> Checkout:
    return built.copy(tmp_path / "postproof")


def wanted(checkout: Checkout, target: str) -> set[str]:
    """The rules that a dry run says it would run."""
    return set(re.findall(r"^(?:local)?rule (\w+):", checkout.snakemake("--dry-run", "--", target), re.MULTILINE))


def fail(checkout: Checkout, target: str) -> str:
    """What Snakemake says of a job that has to fail."""
    done = checkout.run("snakemake", "--cores", "1", "--", target, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 1 and "what to do:" in output and "Traceback" not in output, output
    return output


def flip_last_bit(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)


def lose_a_loss(path: Path) -> None:
    path.write_text(re.sub(r"[\d.]+\n", "nan\n", path.read_text(), count=1))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


# --- failed ----------------------------------------------------------------------------------------------------------


def ask_for_too_many_characters(project: Checkout) -> None:
    project.set_params({"mixtral.corpus": {"characters": CHARACTERS + 10_000}})


def ask_for_no_more_than_there_are(project: Checkout) -> None:
    project.set_params({"mixtral.corpus": {"characters": CHARACTERS}})


def leave_a_broken_state(project: Checkout) -> None:
    """Of a run at another learning rate."""
    project.set_params(FASTER)
    (project.path / STATE).write_text("not whole")


def remove_the_broken_state(project: Checkout) -> None:
    project.set_params(TINY_AGAIN)
    (project.path / STATE).unlink()


def allow_one_arm_only(project: Checkout) -> None:
    project.replace(SCHEMA, "[dense, moe]", "[moe]")


def allow_both_arms(project: Checkout) -> None:
    project.replace(SCHEMA, "[moe]", "[dense, moe]")


@pytest.mark.slow
@pytest.mark.parametrize(
    "break_something, put_right, target, rule, message",
    [
        (ask_for_too_many_characters, ask_for_no_more_than_there_are, CORPUS, "prepare_corpus", "too short"),
        (leave_a_broken_state, remove_the_broken_state, f"{RUN}.csv", "train_race", "cannot read tensors"),
        (allow_one_arm_only, allow_both_arms, TABLE, "race_metrics", "a label that its schema has not"),
    ],
    ids=["prepare_corpus", "train_race", "race_metrics"],
)
def test_a_failed_job_keeps_its_last_good_files_which_do_not_pass_as_current(
    project, built, break_something, put_right, target, rule, message
):
    break_something(project)
    broken = project.artefacts()
    assert message in fail(project, target)
    assert project.artefacts() == broken and broken.items() >= built.artefacts().items()

    put_right(project)
    assert rule in wanted(project, target), "though params, inputs and outputs are as after the last success"
    assert computed(project.snakemake(target)) == [], "restored: it was made of this before"
    assert project.artefacts() == built.artefacts()
    assert wanted(project, target) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage, file, rules, made",
    [
        pytest.param(flip_last_bit, CORPUS, ["prepare_corpus", "train_race", "race_metrics"], None, id="corpus"),
        pytest.param(lose_a_loss, f"{RUN}.csv", ["train_race", "race_metrics"], None, id="run"),
        pytest.param(cut, TABLE, ["race_metrics"], None, id="table"),
        pytest.param(cut, TABLE, ["race_metrics"], "mixtral.race_metrics", id="table that is not in the cache"),
    ],
)
def test_a_file_that_something_else_changed_is_restored_or_made_first(project, built, damage, file, rules, made):
    damage(project.path / file)
    if made:
        shutil.rmtree(project.path / ".dvc/cache")
    assert wanted(project, TABLE) == set(rules)
    assert computed(project.snakemake(TABLE)) == ([made] if made else [])
    assert project.artefacts() == built.artefacts()
    assert wanted(project, TABLE) == set()


def test_a_job_that_is_handed_a_changed_input_does_not_start(project):
    """As where the file changes after Snakemake has looked at it."""
    flip_last_bit(project.path / CORPUS)
    before = project.artefacts()
    line = "job --code build/code/mixtral.train_race.txt --reads".split() + [CORPUS, "--makes", f"{RUN}.csv"]
    message = project.refused(*line, "--", "mixtral.train_race")
    assert "an input is not as its job made it" in message and f"file: {CORPUS}" in message
    assert project.artefacts() == before


# --- killed ----------------------------------------------------------------------------------------------------------


def kill_the_job(snakemake: subprocess.Popen) -> None:
    jobs = [
        process
        for process in psutil.Process(snakemake.pid).children(recursive=True)
        if "python" in process.name() and "mixtral.train_race" in process.cmdline()
    ]
    jobs[-1].kill()


def interrupt_all(snakemake: subprocess.Popen) -> None:
    os.killpg(snakemake.pid, signal.SIGINT)  # what Ctrl-C in a terminal does


def kill_all(snakemake: subprocess.Popen) -> None:
    os.killpg(snakemake.pid, signal.SIGKILL)


@pytest.mark.parametrize("stop", [kill_the_job, interrupt_all, kill_all])
def test_a_stopped_job_keeps_its_last_good_files_and_goes_on_to_the_same_bytes(project, built, faster, stop):
    target = f"{RUN}.csv"
    log = project.path / LOG
    log.unlink()
    project.set_params(FASTER)
    snakemake = project.start("setsid", "snakemake", "--cores", "1", "--", target)
    wait_until(lambda: snakemake.poll() is not None or log.exists() and log.read_text().count("\n") >= 4)
    stop(snakemake)
    snakemake.communicate(timeout=60)
    assert snakemake.returncode != 0
    left_behind = project.artefacts()
    assert left_behind.pop(STATE) and left_behind == built.artefacts()

    if stop is kill_all:
        project.run("snakemake", "--unlock")
    assert wanted(project, target) == {"train_race"}
    assert computed(project.snakemake(target)) == ["mixtral.train_race"]
    [(left, total)] = steps_to_go(log)
    assert left < total
    assert project.artefacts() == faster

    project.set_params(TINY_AGAIN)
    assert computed(project.snakemake(target)) == []
    assert project.artefacts() == built.artefacts()


# --- targets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    ["no_such_rule", "data/raw/tinystory.txt", f"{RUN}0.csv", FIGURE.replace(".svg", "_again.svg")],
    ids=["rule", "text", "run", "figure"],
)
def test_a_target_that_nothing_makes_is_named_in_a_short_message(built, target):
    done = built.run("snakemake", "--cores", "1", "--dry-run", "--", target, check=False)
    message = (done.stdout + done.stderr).split("Building DAG of jobs...\n")[1]
    assert done.returncode == 1 and f"No rule to produce {target}" in message
    assert len(message.splitlines()) < 5 and "Traceback" not in message
