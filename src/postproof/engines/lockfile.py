"""The artefacts that dvc.lock records: path and md5 of each, by stage."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from postproof.core import files
from postproof.core.errors import EngineError, ParamsError
from postproof.engines import params

LOCK_FILE = "dvc.lock"
CODE_STAGE = "code"  # makes build/code


@dataclasses.dataclass(frozen=True)
class Artefact:
    stage: str
    path: str
    md5: str


def read(root: Path) -> list[Artefact]:
    """All recorded outputs, in the lock file's order.

    Raises EngineError when there is no lock file or it records no output.
    """
    lock_file = root / LOCK_FILE
    if not lock_file.is_file():
        raise EngineError("nothing is recorded", file=lock_file, remedy="run `snakemake --cores`, then `make record`")
    try:
        stages = params.load(lock_file).get("stages", {})
    except ParamsError as error:
        raise EngineError("cannot read what is recorded", file=lock_file, remedy="`git checkout` it") from error
    artefacts = [
        Artefact(name, out["path"], out["md5"])
        for name, stage in stages.items()
        for out in stage.get("outs", ())
        if name != CODE_STAGE  # files that stand for inputs
    ]
    if not artefacts:
        raise EngineError("no output is recorded", file=lock_file, remedy="run `snakemake --cores`, then `make record`")
    return artefacts


def unchanged(root: Path) -> bool:
    """Whether every recorded output is there with the recorded bytes."""
    return all((root / item.path).is_file() and files.md5(root / item.path) == item.md5 for item in read(root))
