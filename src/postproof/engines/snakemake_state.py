"""What rules tell Snakemake and its jobs: the environment of jobs, and notes on outputs in .snakemake.

Snakemake has no public way to say that a file is not what its job made. Its mark for files of a job that did not end
has that effect: with `rerun-incomplete` (profiles/default) the job runs again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from postproof.core import environment
from postproof.engines import limits

ANEW = "POSTPROOF_ANEW"  # set for jobs that are to run although their outputs are known


def mark_incomplete(outputs: Iterable[str], folder: Path = Path(".snakemake")) -> None:
    """Has Snakemake make these files again."""
    outputs = list(outputs)
    if not outputs:
        return
    from snakemake.persistence.file import FilePersistence

    notes = FilePersistence(nolock=True, path=folder)
    for output in outputs:
        notes._mark_incomplete(output, None)


def take_as_complete(outputs: Iterable[str], folder: Path = Path(".snakemake")) -> None:
    """Takes such marks back."""
    from snakemake.persistence.file import FilePersistence

    notes = FilePersistence(nolock=True, path=folder)
    for output in outputs:
        notes._unmark_incomplete(output)


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
    if workflow.global_resources.get("_nodes").value is None:  # a cluster's limit has a purpose
        workflow.scheduler.job_rate_limiter = None


def limit_memory(workflow) -> None:
    """No more jobs run at once than their `mem_mb` fit into the memory that is free, unless --resources says a limit.

    A job that needs more than there is runs alone. Jobs of a cluster are its scheduler's. `workflow`: Snakemake's.
    """
    is_local = workflow.global_resources.get("_nodes").value is None
    if is_local and workflow.global_resources.get("mem_mb").value is None:
        workflow.register_resource("mem_mb", limits.memory_mb())


def run_by_dvc() -> bool:
    return "DVC_STAGE" in os.environ
