"""The Snakemake DAG as data: every job with its inputs, outputs, code and params.

Snakemake has no public export of it (`--detailed-summary` prints `-` where metadata are missing), so this file reaches
into `SnakemakeApi`; snakemake is pinned, and nothing else in the project touches its internals but the four lines of
`onerror` in workflow/rules/common.smk.
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from postproof import params

PROFILE = Path("profiles/default/config.yaml")


@dataclasses.dataclass(frozen=True)
class Job:
    """Paths are relative to the repository's root; `params` pairs dotted keys of params.yaml with what the job gets.

    `needed` says whether Snakemake would run the job now, `known` whether it has on record what made the outputs: where
    it has not, it cannot see that code or params changed.
    """

    rule: str
    inputs: frozenset[str]
    code: frozenset[str]
    outputs: frozenset[str]
    params: frozenset[tuple[str, str]]
    needed: bool
    known: bool


def jobs(root: Path) -> list[Job]:
    """All jobs behind the default target of the Snakefile in `root`, up to date or not.

    The caller's working directory must be `root`: the Snakefile reads files relative to it.
    """
    from snakemake.api import ConfigSettings, DAGSettings, OutputSettings, SnakemakeApi, StorageSettings
    from snakemake.settings.types import Quietness, ResourceSettings

    checksum_limit = params.load(root / PROFILE)["max-checksum-file-size"]
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, verbose=False)) as api:
        logging.getLogger("snakemake").setLevel(logging.ERROR)
        workflow_api = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(),
            storage_settings=StorageSettings(),
            snakefile=root / "Snakefile",
            workdir=root,
        )
        workflow_api.dag(dag_settings=DAGSettings(force_incomplete=True, max_checksum_file_size=checksum_limit))
        workflow = workflow_api._workflow
        workflow._prepare_dag(forceall=False, ignore_incomplete=False, lock_warn_only=True)
        workflow._build_dag()
        return [
            _job(job, workflow.dag.needrun(job), workflow.persistence.has_metadata(job))
            for job in workflow.dag.jobs
            if job.rule.name != "all"
        ]


def _job(job, needed: bool, known: bool) -> Job:
    code = {str(path) for path in job.input if str(path).startswith("src/")}
    return Job(
        rule=job.rule.name,
        inputs=frozenset(map(str, job.input)) - code,
        code=frozenset(code),
        outputs=frozenset(map(str, job.output)),
        # A param without a key is no part of params.yaml, but of the rule's own text.
        params=frozenset((value.key, str(value)) for value in job.params if hasattr(value, "key")),
        needed=needed,
        known=known,
    )
