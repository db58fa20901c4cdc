"""What rules tell Snakemake and its jobs: the environment of jobs, and notes on outputs in .snakemake.

Snakemake has no public way to say that a file is not what its job made. Its mark for files of a job that did not end
has that effect: with `rerun-incomplete` (profiles/default) the job runs again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from postproof.core import environment, progress
from postproof.engines import gpus, limits, slurm

ANEW = "POSTPROOF_ANEW"  # set for jobs that are to run although their outputs are known
# Digests of params and rules: as they were when Snakemake planned, and as it read them anew beside the job.
PLANNED, READ = "POSTPROOF_PLANNED", "POSTPROOF_READ"
CLUSTER_MB = 400  # Snakemake is there twice: the first on a node starts the second. Each held 170 MB


def mark_incomplete(outputs: Iterable[str], folder: Path = Path(".snakemake")) -> None:
    """Has Snakemake make these files again."""
    outputs = list(outputs)
    if not outputs:
        return
    from snakemake.persistence.file import FilePersistence

    notes = FilePersistence(nolock=True, path=folder)
    for output in outputs:
        notes._mark_incomplete(output, None)


def remove_stale_runs(rules, paths: Iterable[str]) -> None:
    """Deletes the runs among `paths`, of files that jobs made, that no rule makes any more: of a removed seed, say.

    Neither engine would, and DVC takes the runs by their folder. They come back from the cache with the parameter.
    """
    for path in map(Path, paths):
        if "runs" in path.parts and path.is_file() and not any(rule.is_producer(str(path)) for rule in rules):
            path.unlink()


def prepare_environment(root: Path) -> None:
    """Jobs are started by the Python that runs Snakemake, with the code below `root`, whatever is installed.

    The rest of their environment is settled here too: `python -m snakemake` has not come by our command.
    """
    environment.settle()
    for name, folder in (("PATH", os.path.dirname(sys.executable)), ("PYTHONPATH", str(root / "src"))):
        # An empty entry, which `PYTHONPATH=$PYTHONPATH:...` easily leaves, is the working directory.
        os.environ[name] = os.pathsep.join([folder, *filter(None, os.environ.get(name, "").split(os.pathsep))])


def note_rules(workflow, config: Mapping[str, Any], root: Path) -> None:
    """Notes params and rules for the jobs. On a node of a cluster Snakemake reads them anew, hours later maybe.

    What it then runs has to be what it planned: its notes on an output are of the plan. `workflow`: Snakemake's.
    """
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for file in (root / "Snakefile", *sorted((root / "workflow/rules").glob("[!.]*.smk"))):
        digest.update(file.read_bytes())
    os.environ.pop(READ, None)
    os.environ[PLANNED if workflow.is_main_process else READ] = digest.hexdigest()


def rules_changed() -> bool:
    """Whether params or rules are not as planned, in a job."""
    planned, read = os.environ.get(PLANNED), os.environ.get(READ)
    return None not in (planned, read) and planned != read


def holding(workflow, mb: int) -> Callable[..., int]:
    """`mem_mb` of a rule whose jobs were seen to hold `mb`: that, and on a cluster what Snakemake needs there.

    At each further attempt as much again. `workflow`: Snakemake's.
    """

    def mem_mb(wildcards, attempt):
        return attempt * (mb if is_local(workflow) else mb + CLUSTER_MB)

    return mem_mb


def is_local(workflow) -> bool:
    """Whether jobs are processes of this machine, not of a cluster. `workflow`: Snakemake's."""
    return workflow.global_resources.get("_nodes").value is None


def pass_on_force(settings) -> None:
    """Whoever forces a job wants to see it run, not restored; DVC forces each. `settings`: Snakemake's DAGSettings."""
    if run_by_dvc():
        return
    if settings.forceall or settings.forcetargets or settings.forcerun:
        os.environ[ANEW] = "yes"


def look_when_a_job_ends(workflow) -> None:
    """Has the scheduler look for the next jobs when one has ended, not every second. `workflow`: Snakemake's, started.

    Snakemake (9.27) limits how many jobs start in a second, and so looks every second, also where none can start: with
    a hundred jobs ready that is a fifth of a processor.
    """
    if is_local(workflow):  # a cluster's limit has a purpose
        workflow.scheduler.job_rate_limiter = None


def cancel_left(workflow, root: Path) -> None:
    """Cancels batch jobs that a Snakemake left which was killed; asks SLURM only where it was used from this checkout.

    `workflow`: Snakemake's.
    """
    left = slurm.cancel_left(root) if not is_local(workflow) or slurm.LOGS.is_dir() else []
    if left:
        progress.say(f"postproof: cancelled what a Snakemake that was killed had left: SLURM jobs {', '.join(left)}")


def limit_memory(workflow) -> None:
    """No more jobs run at once than their `mem_mb` fit into the memory that is free, unless --resources says a limit.

    A job that needs more than there is runs alone. Jobs of a cluster are its scheduler's. `workflow`: Snakemake's.
    """
    if is_local(workflow) and workflow.global_resources.get("mem_mb").value is None:
        workflow.register_resource("mem_mb", limits.memory_mb())


def limit_gpus(workflow) -> int:
    """No more jobs run at once than there are GPUs for, unless --resources says a limit; without any, one at a time.

    How many that is. Jobs of a cluster are its scheduler's: one to a node's Snakemake. `workflow`: Snakemake's.
    """
    if not is_local(workflow):
        return 1
    limit = workflow.global_resources.get("gpu").value
    if limit is None:
        limit = len(gpus.devices())
        workflow.register_resource("gpu", max(1, limit))
    return max(1, limit)


def run_by_dvc() -> bool:
    return "DVC_STAGE" in os.environ
