"""A job that is killed, or refused, at any of its system calls leaves whole files, and the next run the same bytes."""

import itertools
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

import injection
from faults_helpers import LINES, contents, stopped, wait_until_stopped
from postproof.core import files
from postproof.core.errors import ArtefactError, DataError, EngineError
from postproof.engines import codegraph, receipts
from workflow_helpers import ROOT

pytestmark = pytest.mark.skipif(bool(injection.why_not()), reason=injection.why_not())
FAMILIES = {family.exit_code for family in (ArtefactError, DataError, EngineError)}
LOG = "logs/job.log"
TWIN = "llama2/kv_cache_memory"


@dataclass(frozen=True)
class Kind:
    """A kind of job: a command line in the folder of the miniature, what it reads and what it makes."""

    line: list[str]
    reads: tuple[str, ...]
    makes: tuple[str, ...]

    @property
    def as_job(self) -> list[str]:
        code = codegraph.path_of(self.line[0])
        reads, makes = ["--reads", code.as_posix(), *self.reads], ["--makes", *self.makes]
        return ["--log", LOG, "job", "--code", code.as_posix(), *reads, *makes, "--", *self.line]


PAGE = [
    *"claims.pages --records claims.json --title Small --pictures figures/race_texts.png --out README.md".split(),
    *["--charts", json.dumps({"race_texts": {"caption": "Both.", "code": "race_texts.py", "tables": []}})],
]
KINDS = {
    "a text": Kind(LINES["shakespeare"], ("raw/plays.whl", "raw/requirements.txt"), ("raw/plays.txt",)),
    "a corpus": Kind(
        LINES["prepare_corpus"], ("raw/plays.txt",), ("prepared/corpus.safetensors", "prepared/corpus.json")
    ),
    "a training": Kind(
        LINES["train_moe"], ("prepared/corpus.safetensors",), ("runs/moe-seed7.csv", "runs/moe-seed7.safetensors")
    ),
    "a table": Kind(
        LINES["race_metrics"],
        ("runs/dense-seed7.csv", "runs/moe-seed7.csv"),
        tuple(f"mixtral/metrics/{name}.csv" for name in ("race", "race_equal_flops", "race_matched_axes")),
    ),
    "a chart": Kind(
        LINES["figure"], ("mixtral/metrics/race.csv",), ("figures/race_texts.svg", "figures/race_texts.png")
    ),
    "verdicts": Kind(LINES["judge"], ("claims/mixtral.yaml", "mixtral/metrics/race.csv"), ("claims.json",)),
    "a page": Kind(PAGE, ("claims.json", "figures/race_texts.png"), ("README.md",)),
}


@pytest.fixture
def job(folder, start):
    """Runs a kind of job under strace, with or without a fault; gives its exit code."""
    sources = codegraph.Sources.read(ROOT)
    for kind in KINDS.values():
        files.write_text(codegraph.path_of(kind.line[0]), sources.listing(kind.line[0]))
    log = folder.parent / "strace.log"

    def run(kind: Kind, fault: injection.Fault | None = None) -> int:
        def stopped_then(attach) -> int:
            process = start(kind.as_job, target=stopped)
            wait_until_stopped(process.pid)
            attach(process.pid)
            process.join(120)
            process.kill()
            process.join()
            return process.exitcode

        return injection.run_under(fault, log, stopped_then)

    run.log = log
    return run


def alone(start, kind: Kind) -> int:
    process = start(kind.as_job, target=released)
    process.join(120)
    return process.exitcode


def released(line: list[str]) -> None:
    import sys

    from postproof import cli

    sys.exit(cli.main(line))


def old(path: str) -> bytes:
    return f"what an earlier job left at {path}\n".encode()


def with_old_outputs(before: Path, folder: Path, kind: Kind) -> None:
    """The folder as it was, with the outputs of an earlier job in place."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(before, folder, dirs_exist_ok=True)
    for path in kind.makes:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(old(path))


def of_jobs(found: dict[str, bytes]) -> dict[str, bytes]:
    """Without the log, and without size and time in receipts."""
    return {
        path: b"".join(re.findall(rb'"[0-9a-f]{32}"', content)) if path.startswith(".postproof/outputs") else content
        for path, content in found.items()
        if path != LOG
    }


def check_what_remains(found: dict[str, bytes], whole: dict[str, bytes], before: dict[str, bytes], kind: Kind) -> None:
    """Every file is whole: the old one, the new one, or one that nobody takes for a file."""
    for path, content in found.items():
        name = Path(path).name
        if path == LOG or re.fullmatch(r"\..+\.tmp\d+(\.\w+)?", name):
            continue
        if path.startswith(receipts.CACHE.as_posix()):
            assert files.md5(path) == "".join(Path(path).parts[-2:]), f"{path} is not what its name says"
        elif path.startswith(".postproof/"):
            assert json.loads(content), path
        elif name.endswith(".resume.safetensors"):
            files.load_tensors(path)
        else:
            allowed = {whole.get(path), before.get(path), old(path) if path in kind.makes else None}
            assert content in allowed, f"{path} is neither old nor new"
    assert {*before, *kind.makes} <= {*found}, "a file is gone"


def every_fault(job, start, folder: Path, kind: Kind, at_most: int | None) -> int:
    """Causes each fault, or so many of them, and looks at what is left and what the next run makes; how many."""
    before = folder.parent / "before"
    shutil.copytree(folder, before)
    was = contents(before)
    with_old_outputs(before, folder, kind)
    assert job(kind) == 0
    points = injection.points(job.log, folder)
    whole = of_jobs(contents("."))
    tries = 0
    for fault in injection.each(points, at_most):
        with_old_outputs(before, folder, kind)
        code = job(kind, fault)
        assert injection.was_injected(job.log), fault
        log = Path(LOG).read_text() if Path(LOG).is_file() else ""
        if fault.effect == injection.KILLED:
            assert code == -9, fault
        else:
            assert code in FAMILIES | {0}, f"{fault}: exit code {code}\n{log}"
        check_what_remains(contents("."), whole, was, kind)
        assert alone(start, kind) == 0, fault
        after = of_jobs(contents("."))
        assert after.keys() == whole.keys(), (fault, sorted(after.keys() ^ whole.keys()))
        assert [path for path in after if after[path] != whole[path]] == [], fault
        tries += 1
    return tries


@pytest.mark.fault("killed, EIO or ENOSPC at a system call", "a job")
@pytest.mark.parametrize("name", KINDS)
def test_some_faults(job, start, folder, survived, name):
    survived(every_fault(job, start, folder, KINDS[name], at_most=6), name)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.fault("killed, EIO or ENOSPC at a system call", "a job")
@pytest.mark.parametrize("name", KINDS)
def test_every_fault(job, start, folder, survived, name):
    survived(every_fault(job, start, folder, KINDS[name], at_most=None), name)
