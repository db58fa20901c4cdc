"""What dvc.lock records, read by ourselves: the artefacts with the md5 of each, and what made them, by stage."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from postproof.core import files
from postproof.core.errors import EngineError, ParamsError
from postproof.engines import params

if TYPE_CHECKING:
    from postproof.engines import dag

LOCK_FILE = "dvc.lock"
CODE_STAGE = "code"  # makes build/code
WORDS = " # rule: "  # in a stage's command, before the digest of what its rule says (`dag.Job.words`)


@dataclasses.dataclass(frozen=True)
class Artefact:
    stage: str
    path: str
    md5: str

    def is_in(self, root: Path) -> bool:
        """Whether it is there, with the recorded bytes."""
        return (root / self.path).is_file() and files.md5(root / self.path) == self.md5


def read(root: Path) -> list[Artefact]:
    """All recorded outputs, in the lock file's order.

    Raises EngineError when there is no lock file or it records no output.
    """
    artefacts = [
        Artefact(name, out["path"], out["md5"])
        for name, stage in _stages(root).items()
        for out in stage.get("outs", ())
    ]
    if not artefacts:
        raise EngineError("no output is recorded", file=root / LOCK_FILE,
                          remedy="run `snakemake --cores`, then `make record`")  # fmt: skip
    return artefacts


def stage_names(root: Path) -> list[str]:
    """Every recorded stage but that of the code, in the lock file's order. Raises EngineError as `read` does."""
    return list(_stages(root))


def unchanged(root: Path) -> bool:
    """Whether every recorded output is there with the recorded bytes."""
    return all(item.is_in(root) for item in read(root))


def differing(root: Path, outputs: Collection[str]) -> list[str]:
    """Stages whose outputs, inputs or params are not as recorded, and of `outputs` those that no stage records.

    What `dvc status` says, for where DVC is not installed. `outputs`: those of all jobs. A folder that is an input
    holds those of them that lie in it. The files of the code (engines/codegraph.py) have to be up to date.
    """
    stages = _stages(root)
    made = {
        out["path"]: name for name, stage in stages.items() for out in stage.get("outs", ()) if out["path"] in outputs
    }
    digest = functools.cache(functools.partial(_digest, root, sorted(made)))
    values = functools.cache(lambda file: params.load(root / file) if (root / file).is_file() else {})
    changed = [name for name in dict.fromkeys(made.values()) if _is_changed(stages[name], digest, values)]
    return changed + sorted(set(outputs) - made.keys())


def planned_otherwise(root: Path, jobs: Iterable[dag.Job]) -> list[str]:
    """Stages that are recorded of another job than the rules now have, and outputs of jobs that no stage records.

    Another job: other words of its rule, other inputs or other keys of params.yaml. `dvc status` holds the record
    against dvc.yaml only, which may be older than the rules.
    """
    stages = _stages(root)
    stage_of = by_output(root)
    found = {}
    for job in jobs:
        for output in job.outputs:
            name = stage_of.get(output, output)
            if name not in stages or not _is_of(stages[name], job):
                found[name] = None
    return list(found)


def by_output(root: Path) -> dict[str, str]:
    """The stage that records each output."""
    return {artefact.path: artefact.stage for artefact in read(root)}


def _is_of(stage: Mapping[str, Any], job: dag.Job) -> bool:
    inputs = job.inputs | ({job.code} if job.code else set())
    deps = {dep["path"] for dep in stage.get("deps", ())}
    covering = {next((dep for dep in (path, *map(str, PurePosixPath(path).parents)) if dep in deps), None)
                for path in inputs}  # fmt: skip
    keys = {key for keys in stage.get("params", {}).values() for key in keys}
    return covering == deps and keys == {key for key, _ in job.params} and stage["cmd"].endswith(WORDS + job.words)


def _is_changed(
    stage: Mapping[str, Any], digest: Callable[[str], str], values: Callable[[str], Mapping[str, Any]]
) -> bool:
    files_of = (*stage.get("outs", ()), *stage.get("deps", ()))
    if any(digest(each["path"]) != each["md5"] for each in files_of):
        return True
    recorded = [(file, key, value) for file, keys in stage.get("params", {}).items() for key, value in keys.items()]
    return any(_value(values(file), key) != value for file, key, value in recorded)


def _value(content: Mapping[str, Any], key: str) -> Any:
    try:
        return params.look_up(content, key)
    except (KeyError, TypeError):
        return None


def _digest(root: Path, outputs: list[str], path: str) -> str:
    """As DVC has it; empty for what is not there. That of a folder is one of the list of its files."""
    if (root / path).is_file():
        return files.md5(root / path)
    inside = [each for each in outputs if each.startswith(f"{path}/") and (root / each).is_file()]
    if not inside:
        return ""
    listing = [{"md5": files.md5(root / each), "relpath": each.removeprefix(f"{path}/")} for each in inside]
    return hashlib.md5(json.dumps(listing).encode()).hexdigest() + ".dir"


def _stages(root: Path) -> dict[str, Any]:
    """By name, but for that of the code, whose files stand for inputs.

    Raises EngineError when there is no lock file, or it cannot be read.
    """
    lock_file = root / LOCK_FILE
    if not lock_file.is_file():
        raise EngineError("nothing is recorded", file=lock_file, remedy="run `snakemake --cores`, then `make record`")
    try:
        stages = params.load(lock_file).get("stages", {})
    except ParamsError as error:
        raise EngineError("cannot read what is recorded", file=lock_file, remedy="`git checkout` it") from error
    return {name: stage for name, stage in stages.items() if name != CODE_STAGE}
