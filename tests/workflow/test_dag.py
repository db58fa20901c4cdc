"""The shape of the real DAG: what each job may read, and that dvc.yaml says the same of every job."""

import contextlib
import re

import pytest

from postproof.engines import codegraph, dag, dvc_state, dvcfile
from workflow_helpers import ROOT

STAGE_OF_FLOW = ["data/raw", "data/prepared", "results/{post}/runs", "results/{post}/metrics", "results/{post}/figures"]
SITE = len(STAGE_OF_FLOW) + 1  # the pages, after the posts' own
OF_PAGES = ("src/postproof/site/templates/", "docs/", "data/history/", "data/readings/")  # read by pages alone
FACTS = (
    "data/requirements/",
    "data/texts/",
    "data/configurations/",
    "data/posted/",
    "data/published/",
    "data/recorded/",
    "claims/",
    "workflow/schemas/",
    "requirements.lock",
)


@pytest.fixture(scope="module")
def jobs():
    with contextlib.chdir(ROOT):
        return dag.jobs(ROOT)


def rank(path: str) -> int | None:
    """Position in the flow; None for what is no artefact (params, claims, schemas, code, facts, measurements)."""
    parts = path.split("/")
    if "/".join(parts[:2]) in STAGE_OF_FLOW:
        return STAGE_OF_FLOW.index("/".join(parts[:2]))
    if path.startswith("results/site/"):
        return SITE
    if parts[0] == "results":
        if parts[1] == "interactive.js":
            return STAGE_OF_FLOW.index("results/{post}/figures")
        if parts[2] == "README.md":
            return len(STAGE_OF_FLOW)
        folder = parts[2] if parts[2] not in ("claims.json", "tally.json", "interactive") else "figures"
        return STAGE_OF_FLOW.index(f"results/{{post}}/{folder}")
    return None


def test_a_rule_reads_only_the_stage_before_it(jobs):
    for job in jobs:
        ranks = {rank(output) for output in job.outputs}
        assert len(ranks) == 1, f"{job.rule.name} writes into several stages"
        for path in job.inputs:
            if path.startswith("data/measured/"):
                assert ranks <= {4, SITE}, f"{job.rule.name} reads {path}: measurements are for figures"
            elif rank(path) is None:
                assert path.startswith((*FACTS, *(OF_PAGES if ranks == {SITE} else ()))), path
            else:
                before = ranks == {rank(path) + 1}
                within_raw = ranks == {rank(path)} == {0}  # the text is extracted from the wheel
                of_trained = ranks == {rank(path)} == {2}  # heads are read of a model that a run has trained
                beside_the_post = ranks == {rank(path)} == {3} and any(p.startswith("data/posted/") for p in job.inputs)
                twin_of_verdicts = job.rule.name == "twin" and path.endswith("/claims.json")
                finished = ranks == {SITE} and rank(path) in (3, 4)  # tables, charts, verdicts; never runs
                count_without_runs = ranks == {3} and {rank(other) for other in job.inputs} <= {1, None}
                allowed = (
                    before,
                    within_raw,
                    of_trained,
                    beside_the_post,
                    count_without_runs,
                    twin_of_verdicts,
                    finished,
                )
                assert any(allowed), f"{job.rule.name} reads {path}"


def test_every_job_has_one_stage_and_every_stage_one_job(jobs):
    by_job = sorted(sorted(job.outputs) for job in jobs)
    assert by_job == sorted(sorted(outputs) for outputs in dvc_state.outputs_by_stage(ROOT).values())


def test_stages_are_named_after_their_rules(jobs):
    rules = {job.rule.name for job in jobs}
    for name in dvc_state.outputs_by_stage(ROOT):
        assert name.partition("@")[0].partition("-")[0] in rules, name


def test_every_job_says_what_it_reads_and_makes_and_runs_the_code_that_it_names(jobs):
    for job in jobs:
        assert job.command, f"{job.rule.name} does not run its command by job(...)"
        assert job.code == codegraph.path_of(job.command[0]).as_posix(), job.rule.name
        handed = {word for word in job.command if re.fullmatch(r"(data|results|claims|workflow)/[\w./-]+", word)}
        paths = {*job.inputs, *job.outputs}
        about = {path for path in job.inputs if path.startswith("data/measured/")}
        assert handed <= paths and set(job.outputs) | job.inputs - about <= handed | paths, job.rule.name


def test_dvc_file_is_as_the_rules_make_it():
    with contextlib.chdir(ROOT):
        dvcfile.check()


def test_a_stage_follows_the_lists_in_params(jobs):
    text = (ROOT / "dvc.yaml").read_text()
    for key in ("mixtral.race.seeds", "mixtral.router_balance.seeds", "mixtral.isoflop.widths",
                "attention.other_padding", "attention.hub_models", "mixtral.corpus.from_hub"):  # fmt: skip
        assert f": ${{{key}}}\n" in text, key
    assert "${mixtral.corpus.source}" in text and "${llama2.held_texts.page}" in text
