"""Run one job's command so that its record cannot lie, and restore what was made before in place of making it again.

    postproof --log LOG job --code build/code/COMMAND.txt --reads FILE ... --makes FILE ... -- COMMAND ...

A job is what it is made of: its command line, the code that its file in build/code names, the bytes of its inputs, and
the numerical libraries. That is taken before the work, and once more after it: a job under whose hands code or inputs
changed fails, and what it wrote is nobody's result. Its outputs are kept by content in DVC's cache (receipts.py), so a
job of the same make is restored from there, by either engine.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib.metadata
import json
import math
import os
import resource
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postproof import cli
from postproof.core import exact, progress
from postproof.core.errors import EngineError, UsageError
from postproof.engines import codegraph, gpus, receipts, slurm, snakemake_state

if TYPE_CHECKING:
    from postproof.engines import dag

# What decides the last digits besides our own code. Python itself does not: 3.11 and 3.13 give the same bytes.
LIBRARIES = ("torch", "numpy", "pandas", "scipy", "matplotlib", "safetensors", "tokenizers", "gguf", "transformers",
             "numba", "gymnasium", "flask", "werkzeug", "structlog", "returns")  # fmt: skip
BEGIN, END = "begin", "end"  # events in a job's log, around each attempt
GPUS = "gpus"  # and which devices it got


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--code", type=Path, required=True, help="build/code/{command}.txt, as the engine planned with")
    parser.add_argument("--reads", type=Path, nargs="*", default=[], help="every input file of the job")
    parser.add_argument("--makes", type=Path, nargs="+", required=True, help="every output file of the job")
    by_environment = snakemake_state.ANEW in os.environ
    parser.add_argument("--gpus", type=int, default=0, help="devices that no other job may have meanwhile")
    parser.add_argument("--anew", action="store_true", default=by_environment, help="run it also where it is known")
    parser.add_argument("line", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")


def main(args) -> int:
    """Raises EngineError when code, params, rules or inputs are not what was planned, or changed meanwhile."""
    line = args.line[1:] if args.line[:1] == ["--"] else args.line
    if not line:
        raise UsageError("no command to run", remedy="put it after --")
    makes = [str(path) for path in args.makes]
    note(args.log, BEGIN, command=line, mode=args.mode, makes=makes, process=os.getpid(), **where())
    if snakemake_state.rules_changed():
        raise changed("params.yaml or a rule", Path("params.yaml"))
    reads = [path for path in args.reads if path != args.code]
    code = planned_code(args.code, line[0])
    inputs = {path.as_posix(): receipts.md5_of_input(path) for path in sorted(reads)}
    key = key_of(line, code, inputs, args.mode)
    recorded = args.mode == "exact"  # fast results are of this machine and this run
    if recorded and not args.anew and receipts.restore(key, args.makes):
        progress.say(f"postproof: {line[0]}: as made before, nothing to compute")
        note(args.log, END, exit_code=0, restored=True)
        return 0
    with gpus.held(args.gpus) as devices:
        if devices:
            note(args.log, GPUS, devices=devices)
        exit_code = cli.run(line[0], line[1:], args.mode, args.log, made_of=key)
    if exit_code == 0:
        if planned_code(args.code, line[0]) != code:
            raise changed("code", args.code)
        for path in reads:
            if receipts.md5_of_input(path) != inputs[path.as_posix()]:
                raise changed("an input", path)
        if recorded:
            receipts.keep(key, args.makes, {"command": line, "code": code, "inputs": inputs})
    note(args.log, END, exit_code=exit_code, restored=False, peak_mb=peak_mb())
    return exit_code


def planned_code(file: Path, command: str) -> str:
    """Digest of the code that runs now, which has to be the code in `file`: what the engine planned with.

    Raises EngineError when they differ.
    """
    listing = codegraph.Sources.read(codegraph.ROOT).listing(command)
    try:
        planned = file.read_text(encoding="utf-8")
    except OSError as error:
        raise EngineError("there is no record of the code", file=file, remedy="run it through `snakemake`") from error
    if planned != listing:
        raise changed("code", file)
    return hashlib.sha256(listing.encode()).hexdigest()


def changed(what: str, file: Path) -> EngineError:
    return EngineError(f"{what} was changed since this run was planned; nothing of this job counts", file=file,
                       remedy="run it again: the job will be made with what is there now")  # fmt: skip


def key_of(
    line: list[str],
    code: str,
    inputs: dict[str, str],
    mode: str = "exact",
    installed: Mapping[str, str | None] | None = None,
) -> str:
    """What a job is made of, as one digest. `installed`: libraries(), for who has it already."""
    kernels = exact.ENVIRONMENT if mode == "exact" else mode
    made_of = {
        "command": line,
        "code": code,
        "inputs": inputs,
        "kernels": kernels,
        "libraries": installed or libraries(),
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def keys_of_planned(
    jobs: Iterable[dag.Job], sources: codegraph.Sources, md5: Callable[[Path], str] = receipts.md5_of_input
) -> Iterator[tuple[dag.Job, str]]:
    """Jobs of the DAG, each with its key, run with what is here now. `sources`: of the code that is here."""
    installed = libraries()  # once: of a thousand jobs it was a third of `record`
    code = functools.cache(lambda command: hashlib.sha256(sources.listing(command).encode()).hexdigest())
    for job in jobs:
        inputs = {path: md5(Path(path)) for path in sorted(job.inputs)}
        yield job, key_of(list(job.command), code(job.command[0]), inputs, installed=installed)


def libraries() -> dict[str, str | None]:
    """Installed versions. A CUDA build of torch gives the same bytes on the CPU: its local label does not count."""
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            versions[library] = None
    return versions


def peak_mb() -> int:
    """Most memory that this process held at once, in MB: what a rule's `mem_mb` has to cover."""
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage: bytes there, KiB elsewhere
    return math.ceil(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def where() -> dict[str, str]:
    """The machine, and the batch job of SLURM's if it is in one: a number of a process says nothing elsewhere."""
    batch = slurm.number()
    return {"host": socket.gethostname()} | ({"slurm_job": batch} if batch else {})


def note(log: Path | None, event: str, **what: Any) -> None:
    """Says in the job's log that an attempt begins or has ended: `postproof why` tells a killed one by it."""
    cli.add_record(log, {"level": "info", "event": event} | what)
