"""Kinds of jobs, and commands that write data, in the folder of the miniature, and what a fault may leave of one."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from faults_helpers import LINES, PACKAGE
from postproof.core import files, tables
from postproof.engines import codegraph, receipts
from postproof.llama2.figures import kv_cache_memory
from workflow_helpers import ROOT

LOG = "logs/job.log"


@dataclass(frozen=True)
class Kind:
    """A kind of job: a command line in the folder of the miniature, what it reads and what it makes."""

    line: list[str]
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    is_job: bool = True  # or a command that a user runs
    writes_over: bool = True  # what an earlier one left
    starts_others: bool = False  # in processes of their own
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> list[str]:
        if not self.is_job:
            return ["--log", LOG, *self.line]
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
TWIN = [
    *["llama2.interactive.kv_cache_memory", "--tables"],
    *[str(ROOT / tables.path_of(name)) for name in kv_cache_memory.TABLES],
    *["--claims", str(ROOT / "claims/llama2.yaml"), "--records", str(ROOT / "results/llama2/claims.json")],
    *"--caption Bytes. --out llama2/interactive/kv_cache_memory.html".split(),
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
    "a twin": Kind(TWIN, (), ("llama2/interactive/kv_cache_memory.html",)),
    "fetching a package": Kind(
        f"data.fetch_package --requirements links/requirements.txt --package {PACKAGE} --out raw/fetched.whl".split(),
        ("links/requirements.txt",),
        ("raw/fetched.whl",),
        starts_others=True,
        environment={"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "links", "PIP_CONFIG_FILE": os.devnull},
    ),
    # Where it finds the text in place it looks at it and leaves it.
    "held": Kind(["held", "--folder", "own"], ("own/text.txt",), ("raw/held.txt",), is_job=False, writes_over=False),
    "measure": Kind(
        "--mode fast measure kv_cache_alloc --tiny --machine here --out {name}/{machine}.csv".split(),
        (),
        ("kv_cache_alloc/here.csv", "kv_cache_alloc/here.json"),
        is_job=False,
    ),
}


def with_code_files() -> None:
    """The files that stand for the code of these jobs, in the working directory."""
    sources = codegraph.Sources.read(ROOT)
    for kind in (kind for kind in KINDS.values() if kind.is_job):
        files.write_text(codegraph.path_of(kind.line[0]), sources.listing(kind.line[0]))


def old(path: str) -> bytes:
    return f"what an earlier job left at {path}\n".encode()


def with_old_outputs(before: Path, folder: Path, kind: Kind) -> None:
    """The folder as it was, with the outputs of an earlier job in place."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(before, folder, dirs_exist_ok=True)
    for path in kind.makes if kind.writes_over else ():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(old(path))


def of_jobs(found: dict[str, bytes]) -> dict[str, bytes]:
    """Without the log, and without what says when."""
    return {
        path: timeless(path, content)
        for path, content in found.items()
        if path != LOG and not is_a_try_of_tempfile(path, content)
    }


def is_a_try_of_tempfile(path: str, content: bytes) -> bool:
    """Python, in pip, writes such a file to see where it may write, last in the working directory; and removes it."""
    return content == b"blat" and re.fullmatch(r"[a-z0-9_]{8}", path) is not None


def timeless(path: str, content: bytes) -> bytes:
    """Without size and time in receipts, without date and duration of a measurement."""
    if path.startswith(".postproof/outputs"):
        return b"".join(re.findall(rb'"[0-9a-f]{32}"', content))
    return re.sub(rb'"(date_utc|wall_seconds)": .*\n', b"", content) if path in KINDS["measure"].makes else content


def check_what_remains(found: dict[str, bytes], whole: dict[str, bytes], before: dict[str, bytes], kind: Kind) -> None:
    """Every file is whole: the old one, the new one, or one that nobody takes for a file."""
    for path, content in found.items():
        name = Path(path).name
        if path == LOG or re.fullmatch(r"\..+\.tmp\d+(\.\w+)?", name):
            continue
        if is_a_try_of_tempfile(path, content):
            continue
        if path.startswith(receipts.CACHE.as_posix()):
            assert files.md5(path) == "".join(Path(path).parts[-2:]), f"{path} is not what its name says"
        elif path.startswith(".postproof/"):
            assert json.loads(content), path
        elif name.endswith(".resume.safetensors"):
            files.load_tensors(path)
        else:
            allowed = {whole.get(path), before.get(path), old(path) if path in kind.makes else None}
            assert timeless(path, content) in allowed, f"{path} is neither old nor new: {content[:200]}"
    assert {*before, *(kind.makes if kind.writes_over else ())} <= {*found}, "a file is gone"
