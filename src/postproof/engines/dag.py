"""The Snakemake DAG as data: every job with its inputs, outputs, code and params.

Snakemake has no public export of it (`--detailed-summary` prints `-` where metadata are missing), so this file reaches
into `SnakemakeApi`; snakemake is pinned, and beside this file only snakemake_state.py and the four lines of `onerror`
in workflow/rules/common.smk touch its internals.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from postproof.core.errors import EngineError
from postproof.engines import codegraph, params

PROFILE = Path("profiles/default/config.yaml")
CHOSEN = "postproof_chosen"  # Snakemake's flag on an input whose path stands in params.yaml: the key
RUNNER = "job"  # the command that runs a job's own: engines/job.py


@dataclasses.dataclass(frozen=True)
class Rule:
    """`outputs` and `inputs` are patterns with {wildcard}; inputs that a function gives are left out.

    `wildcards`: for each, the key in params.yaml whose list or mapping has its values; None where they are fixed.
    `chosen`: inputs whose path params.yaml says, with the key.
    """

    name: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    wildcards: Mapping[str, str | None]
    chosen: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Job:
    """Paths are relative to the repository's root; `params` pairs dotted keys of params.yaml with what the job gets.

    `needed` says whether Snakemake would run the job now, `known` whether it has on record what made the outputs: where
    it has not, it cannot see that code or params changed. `words` is a digest of what the rule itself says of the job:
    its shell text, and params that are no part of params.yaml (a caption, a title).
    """

    rule: Rule
    wildcards: Mapping[str, str]
    inputs: frozenset[str]
    code: str | None  # build/code/{command}.txt
    outputs: tuple[str, ...]
    params: frozenset[tuple[str, str]]
    command: tuple[str, ...]  # with its arguments, as engines/job.py gets it
    words: str
    needed: bool
    known: bool


def jobs(root: Path, overrides: Mapping[str, Any] | None = None, targets: Iterable[str] = ()) -> list[Job]:
    """All jobs behind the targets (default: `all`) of the Snakefile in `root`, up to date or not.

    `overrides` are nested values in place of those of params.yaml. The caller's working directory must be `root`: the
    Snakefile reads files relative to it. Raises EngineError where no rule makes an input that is not there, or two
    files of jobs have one name where letters have no case.
    """
    with _built(root, overrides, targets) as workflow:
        found = [
            _job(job, workflow.dag.needrun(job), workflow.persistence.has_metadata(job))
            for job in workflow.dag.jobs
            if job.shellcmd
        ]
        check_case(path for job in found for path in (*job.inputs, *job.outputs))
        return sorted(found, key=lambda job: job.outputs)


def note_as_made(root: Path, outputs: Collection[str]) -> None:
    """Has Snakemake note that the jobs of these outputs were run with what is here now, and that they are complete.

    What `snakemake --touch` does, which does it to all jobs and sleeps a tenth of a second at each. Raises EngineError
    while a Snakemake runs here.
    """
    from snakemake.exceptions import LockException
    from snakemake.settings.types import ExecutionSettings

    with _built(root, forceall=True) as workflow:  # forced: it locks what is to be made
        workflow.execution_settings = ExecutionSettings()
        workflow.persistence._get_recorded_starttime = os.path.getmtime  # no job ran: it took no time
        try:
            with workflow.persistence.lock():
                for job in workflow.dag.jobs:
                    if job.output and set(map(str, job.output)) <= set(outputs):
                        workflow.async_run(workflow.persistence.finished(job))
        except LockException:
            raise EngineError("another Snakemake runs here, or one was killed",
                              remedy="wait for it; if none runs, `snakemake --unlock`") from None  # fmt: skip


def check_case(paths: Iterable[str]) -> None:
    """Raises EngineError for two files or folders whose names differ in large and small letters only."""
    known: dict[str, str] = {}
    for path in sorted(set(paths)):
        for each in (path, *map(str, PurePosixPath(path).parents)):
            other = known.setdefault(each.casefold(), each)
            if other != each:
                raise EngineError("two names differ in large and small letters only; some disks take them for one",
                                  file=each, other=other, remedy="rename one of them")  # fmt: skip


def rules(root: Path) -> list[Rule]:
    """Every rule that has outputs, those without a job included, in the order of the rule files."""
    with _workflow(root) as workflow_api:
        workflow_api.dag()
        return [_rule(rule) for rule in workflow_api._workflow.rules if rule.output]


@contextlib.contextmanager
def _built(
    root: Path, overrides: Mapping[str, Any] | None = None, targets: Iterable[str] = (), forceall: bool = False
) -> Iterator[Any]:
    """Snakemake's workflow with the DAG behind the targets. Locks where all are forced; whoever only looks does not."""
    from snakemake.api import DAGSettings
    from snakemake.exceptions import MissingInputException

    checksum_limit = params.load(root / PROFILE)["max-checksum-file-size"]
    settings = DAGSettings(
        targets=frozenset(targets), forceall=forceall, force_incomplete=True, max_checksum_file_size=checksum_limit
    )
    with _workflow(root, overrides) as workflow_api:
        workflow_api.dag(dag_settings=settings)
        workflow = workflow_api._workflow
        workflow._prepare_dag(forceall=forceall, ignore_incomplete=False, lock_warn_only=not forceall)
        workflow.persistence.drop_iocache = lambda: None  # whoever only looks removes nothing
        try:
            workflow._build_dag()
        except MissingInputException as error:
            raise EngineError("a file is missing that no rule makes", snakemake=" ".join(str(error).split()),
                              remedy="put it there, or write the rule that makes it; a recorded run: "
                                     "`postproof recorded --record` (docs/recorded.md)") from None  # fmt: skip
        yield workflow


@contextlib.contextmanager
def _workflow(root: Path, overrides: Mapping[str, Any] | None = None) -> Iterator[Any]:
    from snakemake.api import ConfigSettings, OutputSettings, SnakemakeApi, StorageSettings
    from snakemake.settings.types import Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, verbose=False)) as api:
        logging.getLogger("snakemake").setLevel(logging.ERROR)
        yield api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(config=dict(overrides or {})),
            storage_settings=StorageSettings(),
            snakefile=root / "Snakefile",
            workdir=root,
        )


def _rule(rule) -> Rule:
    constraints = rule.wildcard_constraints
    plain = [path for path in rule.input if not callable(path)]
    # In the order of the path: the stage's name has their values in the same.
    wildcards = dict.fromkeys(re.findall(r"\{(\w+)", str(rule.output[0]))) if rule.wildcard_names else {}
    return Rule(
        rule.name,
        tuple(map(_pattern, rule.output)),
        tuple(_pattern(path) for path in plain if not path.flags.get(CHOSEN)),
        {name: getattr(constraints.get(name), "key", None) for name in wildcards},
        {str(path): path.flags[CHOSEN] for path in plain if path.flags.get(CHOSEN)},
    )


def _pattern(path) -> str:
    """With {wildcard} in place of Snakemake's {wildcard,constraint}."""
    return re.sub(r"\{(\w+),[^{}]*\}", r"{\1}", str(path))


def _job(job, needed: bool, known: bool) -> Job:
    code = [str(path) for path in job.input if Path(path).parent == codegraph.FOLDER]
    line = shlex.split(job.shellcmd)
    own = sorted(repr(value) for value in job.non_derived_params if not hasattr(value, "key"))
    return Job(
        rule=_rule(job.rule),
        wildcards=dict(job.wildcards_dict),
        inputs=frozenset(map(str, job.input)) - set(code),
        code=code[0] if code else None,
        outputs=tuple(map(str, job.output)),
        # A param without a key is no part of params.yaml, but of the rule's own text.
        params=frozenset((value.key, str(value)) for value in job.params if hasattr(value, "key")),
        command=tuple(line[line.index("--", line.index(RUNNER)) + 1 :]) if RUNNER in line else (),
        words=hashlib.sha256(json.dumps([job.rule.shellcmd, own]).encode()).hexdigest()[:12],
        needed=needed,
        known=known,
    )
