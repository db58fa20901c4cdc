"""What SLURM says of a job of ours that it started (profiles/slurm): its number there, if it runs, why it was ended."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

LOGS = Path("logs/slurm")  # of the executor: what Snakemake and SLURM print on the node, kept of jobs that failed
SAID = re.compile(r"^(?:slurmstepd[^:]*|srun): error: (.*)", re.MULTILINE)
SECONDS_TO_END = 90  # a job that is cancelled has 30 to end by itself, as SLURM is set up


def number() -> str | None:
    """The number of the batch job that this process is in, if it is in one; a task of an array has its own."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")


def is_running(job: str) -> bool | None:
    """Whether the batch job waits or runs; None where SLURM does not answer."""
    answer = _ask("squeue", "--noheader", "--jobs", job)
    return None if answer is None else bool(answer.strip())


def told(job: str) -> list[str]:
    """What SLURM itself wrote into the log of the batch job: of a limit of time or memory, or that it was cancelled."""
    texts = [log.read_text(encoding="utf-8", errors="replace") for log in LOGS.rglob(f"{job}.log")]
    return list(dict.fromkeys(line for text in texts for line in SAID.findall(text)))


def cancel_left(root: Path) -> list[str]:
    """Cancels batch jobs that wait or run for the checkout at `root`, and waits for their end. Which these were.

    When a Snakemake starts there, which locks the checkout, they are jobs of one that was killed; they would write
    where new ones write. Snakemake's own notes of their numbers do not last: the one on the node overwrites them.
    """
    listing = _ask("squeue", "--noheader", f"--user={os.getuid()}", "--format=%A|%k|%Z") or ""
    lines = [line.split("|", 2) for line in listing.splitlines()]
    # The executor's comment: a Snakemake that is itself in a batch job, of the same folder, is none of them.
    ours = [job for job, comment, folder in lines if comment.startswith("rule_") and _is_same(folder, root)]
    left = sorted(set(ours))
    if left:
        _ask("scancel", *left)
        deadline = time.monotonic() + SECONDS_TO_END
        while time.monotonic() < deadline and any(is_running(job) for job in left):
            time.sleep(1)
    return left


def _is_same(folder: str, root: Path) -> bool:
    return Path(folder).resolve() == root.resolve()


def _ask(*command: str) -> str | None:
    """What a command of SLURM's prints; nothing for jobs that it has forgotten, None where it does not answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:  # a job is forgotten some minutes after its end
        return "" if "Invalid job id" in done.stderr else None
    return done.stdout
