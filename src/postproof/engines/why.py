"""Why a job failed: the last failure in its log, what to do, and the commands that run it alone (`make why`).

    postproof why                 every job whose last attempt failed, the newest at length
    postproof why JOB             one job: its output, stage, rule or log, or a part of that
    postproof why JOB --trace     with the stack trace

An attempt of a job stands in its log as a line of JSON when it begins and one when it ends (job.py); a failure is one
line more (errors.py). Snakemake empties the log when a job starts anew. An attempt that began, and neither ended nor
runs, was ended from outside: killed for its memory, say. Of one on another machine, SLURM knows whether it runs.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from postproof.core import errors, files
from postproof.core.errors import EngineError, PostproofError, UsageError
from postproof.engines import lockfile, slurm
from postproof.engines.job import BEGIN, END

LOGS = Path("logs")
KILLED = "ended from outside, without a word: killed (out of memory?), interrupted, or the machine went down"
UNKNOWN = "began on {host} and has not ended, as far as its log says; SLURM does not answer here"


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One attempt of a job. `failure`: the record of its error (errors.record), if it wrote one."""

    log: Path
    begin: dict[str, Any]
    failure: dict[str, Any] | None = None
    end: dict[str, Any] | None = None

    @property
    def rule(self) -> str:
        return self.log.relative_to(LOGS).parts[0].removesuffix(".log")

    @property
    def output(self) -> str:
        return self.begin["makes"][0]

    @property
    def is_running(self) -> bool:
        if self.failure or self.end:
            return False
        if self.is_elsewhere:
            return bool(slurm.is_running(self.begin["slurm_job"]))
        return files.is_running(str(self.begin["process"]))

    @property
    def is_elsewhere(self) -> bool:
        """Whether it ran on another machine, where a process's number says nothing here."""
        return self.begin.get("slurm_job") is not None and self.begin["host"] != socket.gethostname()

    @property
    def failed(self) -> bool:
        return self.failure is not None or not (self.is_running or (self.end and self.end["exit_code"] == 0))

    @property
    def time(self) -> str:
        return (self.failure or self.end or self.begin)["time"]


def add_arguments(parser) -> None:
    parser.add_argument("job", nargs="?", metavar="JOB", help="output, DVC stage, rule or log, or a part of it")
    parser.add_argument("--trace", action="store_true", help="the stack trace too")
    parser.add_argument("--exit-codes", action="store_true", help="what each exit code of ours means, and nothing else")
    parser.add_argument("--json", action="store_true", help="the records as they stand in the log, one a line")


def main(args) -> None:
    """Raises UsageError when no job that ever ran has this name."""
    if args.exit_codes:
        print("\n".join(exit_codes()))
        return
    stages = stage_by_output(Path.cwd())
    logs = [log for log in sorted(LOGS.rglob("*.log")) if not log.is_relative_to(slurm.LOGS)]
    last = [found[-1] for log in logs if (found := attempts(log))]
    if args.job:
        last = [each for each in last if is_meant(args.job, each, stages)]
        if not last:
            raise UsageError("no job of this name has run here", job=args.job, logs=LOGS,
                             remedy="`postproof why` lists the jobs that failed")  # fmt: skip
    failures = sorted((each for each in last if each.failed), key=lambda each: each.time, reverse=True)
    if args.json:
        for each in failures:
            print(json.dumps({"log": str(each.log)} | each.begin | (each.end or {}) | (each.failure or {})))
        return
    if not failures:
        print(f"the last attempt of {args.job or 'every job here'} succeeded, or is running")
    for place, each in enumerate(failures):
        if place == 0:
            print(told(each, stages, args.trace))
        else:
            print(f"{each.output}: {summary(each)}; `postproof why {shlex.quote(each.output)}`")


def exit_codes() -> list[str]:
    """One line for each family of errors, by its code."""
    families = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, PostproofError)]
    told = {cls.exit_code: f"{cls.family}: {cls.__doc__.splitlines()[0]}" for cls in families}
    told |= {
        errors.BUG_EXIT_CODE: "bug: A fault of ours; the log has the trace.",
        130: "Interrupted from the keyboard.",
    }
    return [f"{code:>3}  {told[code]}" for code in sorted(told)]


def attempts(log: Path) -> list[Attempt]:
    """All attempts in a log, in order. What is no JSON of ours is passed over: progress, a line cut off by a kill."""
    found: list[Attempt] = []
    for record in records(log):
        if record.get("event") == BEGIN:
            found.append(Attempt(log, record))
        elif found and record.get("event") == END:
            found[-1] = dataclasses.replace(found[-1], end=record)
        elif found and record.get("level") == "error":
            found[-1] = dataclasses.replace(found[-1], failure=record)
    return found


def records(log: Path) -> Iterator[dict[str, Any]]:
    """Raises EngineError when the log cannot be read."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise EngineError("cannot read a log", file=log) from error
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield record


def stage_by_output(root: Path) -> dict[str, str]:
    """The DVC stage of each recorded output; none where nothing is recorded yet."""
    try:
        return {artefact.path: artefact.stage for artefact in lockfile.read(root)}
    except EngineError:
        return {}


def is_meant(name: str, attempt: Attempt, stages: dict[str, str]) -> bool:
    names = [str(attempt.log), attempt.rule, *attempt.begin["makes"]]
    names += [stages[path] for path in attempt.begin["makes"] if path in stages]
    return any(name.removeprefix("./") in known for known in names)


def summary(attempt: Attempt) -> str:
    if attempt.failure:
        return f"{attempt.failure['family']} error, {attempt.failure['message']}"
    if attempt.end:
        return f"ended with exit code {attempt.end['exit_code']}"
    if attempt.is_elsewhere and slurm.is_running(attempt.begin["slurm_job"]) is None:
        return UNKNOWN.format(host=attempt.begin["host"])
    return KILLED


def told(attempt: Attempt, stages: dict[str, str], with_trace: bool) -> str:
    """The failure at length."""
    failure, begin = attempt.failure or {}, attempt.begin
    code = f", exit code {failure['exit_code']}" if failure else ""
    lines = [attempt.output, f"  failed at {attempt.time}{code}, rule {attempt.rule}", f"  {summary(attempt)}"]
    lines += [f"    {key.replace('_', ' ')}: {value}" for key, value in failure.get("context", {}).items()]
    lines += [f"    cause: {cause}" for cause in failure.get("causes", [])]
    if begin.get("slurm_job"):
        lines.append(f"  SLURM job {begin['slurm_job']} on {begin['host']}")
        lines += [f"    {line}" for line in slurm.told(begin["slurm_job"])]
    if failure.get("remedy"):
        lines.append(f"  what to do: {failure['remedy']}")
    mode = [] if begin["mode"] == "exact" else ["--config", f"mode={begin['mode']}"]
    alone = [shlex.join(["snakemake", "--cores", "1", *mode, "--", attempt.output])]
    if attempt.output in stages:
        alone.append(shlex.join(["dvc", "repro", stages[attempt.output]]))
    alone.append(shlex.join(["python", "-m", "pdb", "-m", "postproof", "--mode", begin["mode"], *begin["command"]]))
    lines.append("  run it alone:")
    lines += [f"    {line}" for line in alone]
    lines.append(f"  log: {attempt.log}")
    if with_trace and failure:
        lines.append(failure["exception.stacktrace"].rstrip())
    return "\n".join(lines)
