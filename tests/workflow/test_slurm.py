"""Through a real SLURM of one node: the bytes of a local run, and no job is lost that the cluster lets down."""

import json
import os
import re
import signal

import pytest

from gpus_helpers import let_walks_use_gpus, logged
from slurm_helpers import cluster, until
from workflow_helpers import toy_project

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(570)]

SNAKEMAKE = ("snakemake", "--profile", "profiles/slurm", "--slurm-status-command", "squeue", "--printshellcmds",
             "--slurm-init-seconds-before-status-checks", "8")  # fmt: skip
WALK = "results/toy/runs/walk/walk-seed8.csv"
LOG = "logs/walk/results/8.log"
HEAD = "def main(args) -> None:\n"
ONCE = """
    from pathlib import Path
    if args.seed == 8 and not Path("tried").exists():
        Path("tried").touch()
"""
RAISES = """
    from postproof.core.errors import DataError
    raise DataError("a walk without steps", seed=args.seed, remedy="give it steps")
"""
GETS_LARGE = ONCE + "        taken = bytearray(1_500_000_000)\n        import time; time.sleep(30)\n"
TAKES_LONG = ONCE + "        import time; time.sleep(600)\n"


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("slurm")) as started:
        yield started


@pytest.fixture
def on_cluster(slurm, checkout):
    """Runs Snakemake through SLURM in the built checkout; everything is as usual, but what a test changes."""

    class OnCluster:
        path = checkout.path

        def change(self, body: str) -> None:
            checkout.replace("src/postproof/toy/walk.py", HEAD, HEAD + body.strip("\n") + "\n")

        def snakemake(self, *arguments: str, check: bool = True, **environment: str):
            done = checkout.run(*SNAKEMAKE, *arguments, check=check, **slurm.environment | environment)
            return done.returncode, done.stdout + done.stderr

        def start(self, *arguments: str, **environment: str):
            return checkout.start(*SNAKEMAKE, *arguments, **slurm.environment | environment)

        def why(self, *arguments: str) -> str:
            return checkout.run("python", "-m", "postproof", "why", *arguments, **slurm.environment).stdout

        def records(self, log: str = LOG) -> list[dict]:
            return [json.loads(line) for line in (self.path / log).read_text().splitlines()]

        def artefacts(self) -> dict[str, str]:
            return checkout.artefacts()

        def job(self) -> str:
            """The number of the one batch job, once there is one."""
            until(lambda: slurm.jobs(self.path))
            return slurm.jobs(self.path)[0]

    return OnCluster()


def at_work(on_cluster):
    """Snakemake as it was started, its one job at work on the node, for long."""
    on_cluster.change(TAKES_LONG)
    started = on_cluster.start("--retries", "0", "--", WALK)
    until(lambda: started.poll() is not None or (on_cluster.path / "tried").exists())
    assert started.poll() is None, started.communicate()
    return started


def test_all_jobs_on_a_cluster_whose_controller_dies_meanwhile_give_the_bytes_of_a_local_run(slurm, built, tmp_path):
    fresh = toy_project(tmp_path / "fresh")
    fresh.commit("sources")
    pause = tmp_path / "pause"
    pause.touch()
    running = fresh.start(*SNAKEMAKE, **slurm.environment, TOY_PAUSE=str(pause))
    until(lambda: running.poll() is not None or (tmp_path / "pause.reached").exists(), 120, otherwise=slurm.log)
    slurm.kill_controller()
    pause.unlink()
    slurm.start_controller()
    stdout, stderr = running.communicate(timeout=400)
    assert running.returncode == 0, stdout + stderr

    assert fresh.artefacts() == built.artefacts()
    assert "Nothing to be done" in fresh.snakemake("--dry-run")
    logs = [log for log in (fresh.path / "logs").rglob("*.log") if "slurm" not in log.parts]
    begun = [json.loads(log.read_text().splitlines()[0]) for log in logs]
    assert len(begun) == 9 and all(record["slurm_job"].isdigit() for record in begun)
    assert not list((fresh.path / "logs/slurm").rglob("*.log"))  # kept of jobs that failed


@pytest.mark.slow
def test_a_job_that_fails_is_told_as_one_here_is(on_cluster):
    on_cluster.change(RAISES)
    code, output = on_cluster.snakemake("--retries", "0", "--", WALK, check=False)
    assert code != 0 and "`make why`" in output
    told = on_cluster.why(WALK)
    for part in (WALK, "exit code 11", "data error, a walk without steps", "seed: 8", "SLURM job ", LOG):
        assert part in told, told
    [log] = (on_cluster.path / "logs/slurm/rule_walk").rglob("*.log")
    assert "a walk without steps" in log.read_text()


@pytest.mark.slow
def test_a_job_that_is_cancelled_is_told_and_made_again(on_cluster, slurm, built):
    running = at_work(on_cluster)
    job = on_cluster.job()
    assert "is running" in on_cluster.why(WALK)
    on_another_machine(on_cluster.path / LOG)
    assert "is running" in on_cluster.why(WALK)
    slurm.run("scancel", job)
    assert running.wait(timeout=120) != 0
    told = on_cluster.why(WALK)
    assert "ended from outside" in told and f"SLURM job {job}" in told and "CANCELLED AT" in told
    assert f"SLURM job {job} on another" in told
    on_cluster.snakemake("--", WALK)
    assert on_cluster.artefacts() == built.artefacts()


def on_another_machine(log) -> None:
    """The log of a job as if that had another host; no process here has its number."""
    text = re.sub(r'"host": "[^"]*"', '"host": "another"', log.read_text())
    log.write_text(re.sub(r'"process": \d+', '"process": 1', text))


def test_a_job_beyond_its_memory_is_tried_again_with_more(on_cluster, built):
    on_cluster.change(GETS_LARGE)
    _, output = on_cluster.snakemake("--", WALK)
    assert on_cluster.artefacts() == built.artefacts()
    [log] = (on_cluster.path / "logs/slurm/rule_walk").rglob("*.log")
    assert "exceeded memory limit" in log.read_text() and "mem_mb=2200" in output and "runtime=120" in output


@pytest.mark.slow  # SLURM counts time in minutes
def test_a_job_beyond_its_time_is_tried_again_with_more(on_cluster, built):
    on_cluster.change(TAKES_LONG)
    _, output = on_cluster.snakemake("--default-resources", "mem_mb=1100", "runtime=attempt", "--", WALK)
    assert on_cluster.artefacts() == built.artefacts()
    [log] = (on_cluster.path / "logs/slurm/rule_walk").rglob("*.log")
    assert "DUE TO TIME LIMIT" in log.read_text() and "runtime=2" in output


@pytest.mark.slow
def test_a_job_whose_snakemake_was_killed_is_cancelled_by_the_next_and_made_again(on_cluster, slurm, built):
    running = at_work(on_cluster)
    left = on_cluster.job()
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert slurm.jobs(on_cluster.path) == [left]
    on_cluster.snakemake("--unlock")
    _, output = on_cluster.snakemake("--", WALK)
    assert f"cancelled what a Snakemake that was killed had left: SLURM jobs {left}" in output
    assert "CANCELLED" in slurm.run("scontrol", "show", "job", left)
    assert not on_cluster.records()[-1]["restored"]
    assert on_cluster.artefacts() == built.artefacts()


@pytest.mark.slow
def test_params_that_change_while_a_job_waits_in_the_queue_are_not_taken_for_the_planned_ones(
    on_cluster, checkout, slurm
):
    checkout.set_params({"toy.walk": {"steps": 6}})
    slurm.run("scontrol", "update", "partitionname=main", "state=down")
    try:
        running = on_cluster.start("--retries", "0", "--", WALK)
        on_cluster.job()
        checkout.set_params({"toy.walk": {"steps": 7}})
    finally:
        slurm.run("scontrol", "update", "partitionname=main", "state=up")
    assert running.wait(timeout=120) != 0
    assert "was changed since this run was planned" in on_cluster.why(WALK)
    on_cluster.snakemake("--", WALK)
    assert (on_cluster.path / WALK).read_text().count("\n") == 1 + 7
    checkout.set_params({"toy.walk": {"steps": 5}})
    on_cluster.snakemake("--", WALK)
    assert on_cluster.records()[-1]["restored"]


@pytest.mark.slow
def test_resources_choose_partition_gpu_time_and_memory(on_cluster, checkout, slurm):
    let_walks_use_gpus(checkout)
    (on_cluster.path / "partitions.yaml").write_text("partitions:\n  main: {max_gpu: 0}\n  gpu: {max_gpu: 2}\n")
    fast = ("--config", "mode=fast", "device=auto", "--slurm-partition-config", "partitions.yaml", "--retries", "0")
    table = "results-fast/toy/metrics/walk.csv"
    running = on_cluster.start(*fast, "--", table)
    seen = {}

    def look() -> bool:
        listing = slurm.run("squeue", "--noheader", "--states=all", "--format=%P|%l|%m|%k|%Z").splitlines()
        ours = [line.split("|") for line in listing if line.endswith(str(on_cluster.path))]
        seen.update({comment: asked for *asked, comment, _ in ours})
        return running.poll() is not None

    until(look, 400)
    assert running.returncode == 0, running.communicate()[1]
    assert seen["rule_walk_table"] == ["main", "1:00:00", "1100M"]
    assert seen["rule_walk_wildcards_7"][0] == seen["rule_walk_wildcards_8"][0] == "gpu"
    assert [logged(checkout, 7), logged(checkout, 8)] in ([["0"], ["1"]], [["1"], ["0"]])
