"""What is known of a batch job where SLURM is silent or is not there; tests/workflow/test_slurm.py has a real one."""

import json
from types import SimpleNamespace

import pytest

from postproof import cli
from postproof.engines import job, slurm, snakemake_state, why

LOG = """\
srun: error: vm: task 0: Killed
slurmstepd: error: *** STEP 7.0 ON vm CANCELLED AT 2026-11-27T10:04:07 DUE TO TIME LIMIT ***
slurmstepd-vm: error: StepId=7.0 exceeded memory limit (313741312 > 104857600), being killed
walk: error: not SLURM's
srun: error: vm: task 0: Killed
"""


@pytest.fixture(autouse=True)
def no_slurm(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)


def test_the_number_is_that_of_the_log(monkeypatch):
    assert slurm.number() is None and "slurm_job" not in job.where()
    monkeypatch.setenv("SLURM_JOB_ID", "13")
    assert slurm.number() == "13"
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    assert slurm.number() == "12_2"


def test_what_slurm_itself_says_is_told_once(tmp_path):
    folder = tmp_path / slurm.LOGS / "rule_walk/8"
    folder.mkdir(parents=True)
    (folder / "7.log").write_text(LOG)
    (folder / "17.log").write_text("srun: error: of another job\n")
    told = slurm.told("7")
    assert told[0] == "vm: task 0: Killed" and "TIME LIMIT" in told[1] and "memory limit" in told[2] and len(told) == 3


def test_where_slurm_does_not_answer_a_job_elsewhere_is_neither_running_nor_killed(tmp_path, capsys):
    assert slurm.is_running("7") is None and slurm.cancel_left(tmp_path) == []
    log = tmp_path / "logs/walk/8.log"
    begin = {"level": "info", "event": job.BEGIN, "command": ["walk"], "mode": "exact", "makes": ["walk.csv"],
             "process": 1, "host": "elsewhere", "slurm_job": "7", "time": "2026-11-27T10:00:00+00:00"}  # fmt: skip
    cli.add_record(log, begin)
    assert json.loads(log.read_text())["host"] == "elsewhere"
    why.main(SimpleNamespace(job=None, trace=False, exit_codes=False, json=False))
    told = capsys.readouterr().out
    assert "began on elsewhere and has not ended" in told and "SLURM job 7 on elsewhere" in told and "kill" not in told


def test_rules_and_params_read_anew_have_to_be_those_of_the_plan(tmp_path, monkeypatch):
    for name in (snakemake_state.PLANNED, snakemake_state.READ):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    (tmp_path / "workflow/rules").mkdir(parents=True)
    (tmp_path / "Snakefile").write_text("rule a:\n")
    rules = tmp_path / "workflow/rules/post.smk"
    rules.write_text("rule b:\n")
    head, node = SimpleNamespace(is_main_process=True), SimpleNamespace(is_main_process=False)

    assert not snakemake_state.rules_changed()
    snakemake_state.note_rules(head, {"steps": 5, "mode": "exact"}, tmp_path)
    assert not snakemake_state.rules_changed()
    snakemake_state.note_rules(node, {"mode": "exact", "steps": 5}, tmp_path)
    assert not snakemake_state.rules_changed()
    snakemake_state.note_rules(node, {"steps": 6, "mode": "exact"}, tmp_path)
    assert snakemake_state.rules_changed()
    rules.write_text("rule c:\n")
    snakemake_state.note_rules(node, {"steps": 5, "mode": "exact"}, tmp_path)
    assert snakemake_state.rules_changed()
    snakemake_state.note_rules(head, {"steps": 5, "mode": "exact"}, tmp_path)  # a job that plans for itself
    assert not snakemake_state.rules_changed()


@pytest.mark.parametrize("nodes, asked", [(None, [2000, 4000]), (100, [2400, 4800])])
def test_a_job_asks_for_more_at_each_attempt_and_on_a_cluster_for_snakemake_too(nodes, asked):
    workflow = SimpleNamespace(global_resources={"_nodes": SimpleNamespace(value=nodes)})
    mem_mb = snakemake_state.holding(workflow, 2000)
    assert [mem_mb(wildcards=None, attempt=attempt) for attempt in (1, 2)] == asked
