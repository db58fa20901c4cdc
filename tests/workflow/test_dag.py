"""The shape of the DAG: what each job may read, and that dvc.yaml says the same of every job."""

import os
from pathlib import Path

import pytest

from postproof import dag, dvcfile

ROOT = Path(__file__).parents[2]
STAGE_OF_FLOW = ["data/raw", "data/prepared", "results/{post}/runs", "results/{post}/metrics", "results/{post}/figures"]


@pytest.fixture(scope="module")
def jobs():
    before = os.getcwd()
    os.chdir(ROOT)
    try:
        return dag.jobs(ROOT)
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def stages():
    return dvcfile.stages(ROOT)


def rank(path: str) -> int | None:
    """Position in the flow; None for what is no artefact (params, claims, schemas, code, facts, measurements)."""
    parts = path.split("/")
    if "/".join(parts[:2]) in STAGE_OF_FLOW:
        return STAGE_OF_FLOW.index("/".join(parts[:2]))
    if parts[0] == "results":
        folder = parts[2] if parts[2] != "claims.json" else "figures"
        return STAGE_OF_FLOW.index(f"results/{{post}}/{folder}")
    return None


def test_a_rule_reads_only_the_stage_before_it(jobs):
    for job in jobs:
        ranks = {rank(output) for output in job.outputs}
        assert len(ranks) == 1, f"{job.rule} writes into several stages"
        for path in job.inputs:
            if path.startswith("data/measured/"):
                assert ranks == {4}, f"{job.rule} reads {path}: measurements are for figures"
            elif rank(path) is None:
                facts = ("data/requirements/", "data/texts/", "data/configurations/", "claims/", "workflow/schemas/")
                assert path.startswith(facts), path
            else:
                before = ranks == {rank(path) + 1}
                within_raw = ranks == {rank(path)} == {0}  # the text is extracted from the wheel
                of_trained = ranks == {rank(path)} == {2}  # heads are read of a model that a run has trained
                count_without_runs = ranks == {3} and {rank(other) for other in job.inputs} <= {1, None}
                assert before or within_raw or of_trained or count_without_runs, f"{job.rule} reads {path}"


def test_every_job_has_one_stage_and_every_stage_one_job(jobs, stages):
    assert sorted(map(sorted, (job.outputs for job in jobs))) == sorted(
        map(sorted, (stage.outputs for stage in stages))
    )


def test_jobs_and_stages_agree_on_inputs_code_and_params(jobs, stages):
    by_outputs = {job.outputs: job for job in jobs}
    for stage in stages:
        job = by_outputs[stage.outputs]
        assert stage.code == job.code, f"{stage.name}: run `make deps`"
        assert stage.params == {key for key, _ in job.params}, stage.name
        folders = {path for path in stage.inputs if not Path(path).suffix}
        inside = {path for path in job.inputs if str(Path(path).parent) in folders}
        assert stage.inputs - folders == job.inputs - inside, stage.name
        assert folders == {str(Path(path).parent) for path in inside}, stage.name


def test_dvc_runs_each_stage_through_its_own_rule(jobs):
    from dvc.repo import Repo

    rule_by_output = {output: job.rule for job in jobs for output in job.outputs}
    with Repo(str(ROOT)) as repo:
        for stage in repo.index.stages:
            words = stage.cmd.split()
            rule, target = words[words.index("--allowed-rules") + 1], words[-1]
            assert rule_by_output[target] == rule and target in {out.def_path for out in stage.outs}


def test_code_of_a_job_leaves_out_what_it_does_not_import(jobs):
    by_rule = {job.rule: job.code for job in jobs}
    training, judging = by_rule["train_race"], by_rule["judge_claims"]
    assert "src/postproof/mixtral/moe.py" in training and "src/postproof/linalg.py" in training
    assert not {path for path in training if "claims" in path or "figures" in path or path.endswith("params.py")}
    assert not {path for path in judging if "mixtral" in path}
