"""What jobs made: a receipt per output, and what is known of each job by what it was made of.

    .postproof/outputs/{path}.json   every md5 that a job left at this path, and the size and time of the last one
    .postproof/jobs/{key}.json       what a job was made of, and the md5 of each of its outputs
    .dvc/cache/files/md5/            the bytes by md5, in DVC's own layout: `dvc commit` finds them there

A file with a receipt whose bytes no job left there was changed by something else: it is open work.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from postproof.core import files
from postproof.core.errors import ArtefactError, EngineError

OUTPUTS = Path(".postproof/outputs")
JOBS = Path(".postproof/jobs")
CACHE = Path(".dvc/cache/files/md5")


def md5_of_input(path: Path) -> str:
    """The hash of an input, which has to be as a job made it, if a job of ours made it; DVC may have restored it.

    Raises EngineError when it was changed since, or is not there.
    """
    if not path.is_file():
        raise EngineError("an input is not there", file=path, remedy="run `snakemake --cores`, which makes it")
    receipt = _receipt(path)
    if receipt is None:
        return files.md5(path)
    digest = _digest(path, receipt)
    if digest not in receipt["made"]:
        raise EngineError("an input is not as its job made it", file=path,
                          remedy="run `snakemake --cores`, which makes it again")  # fmt: skip
    return digest


def altered(root: Path) -> list[str]:
    """Outputs below `root` that are there but not as the last job made them, an earlier job's bytes included."""
    with contextlib.chdir(root):
        return [name for name in paths(Path()) if _is_altered(Path(name))]


def paths(root: Path) -> list[str]:
    """Every path at which a job left a file, whether it is there still or not."""
    found = (root / OUTPUTS).rglob("*.json")
    return sorted(path.relative_to(root / OUTPUTS).as_posix().removesuffix(".json") for path in found)


def restorable(root: Path) -> list[str]:
    """Those whose last bytes are in the cache."""
    with contextlib.chdir(root):
        known = {name: _receipt(Path(name)) for name in paths(Path())}
        return [name for name, receipt in known.items() if receipt and cache_file(receipt["made"][-1]).is_file()]


def cache_file(digest: str) -> Path:
    return CACHE / digest[:2] / digest[2:]


def is_cached(digest: str) -> bool:
    """Whether the cache holds these bytes, undamaged."""
    file = cache_file(digest)
    return file.is_file() and files.md5(file) == digest


def take_from_cache(digest: str, path: Path) -> None:
    """Puts these bytes at `path`. Raises ArtefactError when the system refuses."""
    with files.atomic(path) as temporary:
        shutil.copyfile(cache_file(digest), temporary)


def drop_damaged(path: Path, digest: str) -> bool:
    """Whether the cache's copy of `digest` is damaged. It is removed then, and the file at `path` where it is of it."""
    cached = cache_file(digest)
    if not cached.is_file() or (found := files.md5(cached)) == digest:
        return False
    files.remove(cached)
    if path.is_file() and files.md5(path) == found:
        files.remove(path)
    return True


def accept(path: Path) -> None:
    """Takes the file as it is for what a job left there: DVC has restored it, and says that it is as recorded."""
    _write_receipt(path, files.md5(path))


def outputs_of(key: str) -> dict[str, str]:
    """The md5 of each output of the job, by path; empty when it is not known."""
    try:
        return dict(files.read_json(JOBS / f"{key}.json")["outputs"])
    except (ArtefactError, KeyError, TypeError, ValueError):
        return {}


def is_made(key: str, makes: Iterable[Path]) -> bool:
    """Whether the job is known, and its outputs are in place with the bytes that it gave."""
    makes, outputs = list(makes), outputs_of(key)
    return set(outputs) == {path.as_posix() for path in makes} and all(
        path.is_file() and _digest(path, _receipt(path)) == outputs[path.as_posix()] for path in makes
    )


def restore(key: str, makes: Iterable[Path]) -> bool:
    """Puts the outputs of the job in place, if it is known with the same outputs and their bytes are in the cache."""
    makes, outputs = list(makes), outputs_of(key)
    if set(outputs) != {path.as_posix() for path in makes}:
        return False
    missing = [path for path in makes if not path.is_file() or files.md5(path) != outputs[path.as_posix()]]
    if not all(is_cached(outputs[path.as_posix()]) for path in missing):
        return False
    for path in missing:
        take_from_cache(outputs[path.as_posix()], path)
    for path in makes:
        _write_receipt(path, outputs[path.as_posix()])
    return True


def keep(key: str, makes: Iterable[Path], made_of: Mapping[str, Any]) -> None:
    """Keeps the outputs by content, notes what made them, and gives each its receipt.

    Raises ArtefactError when an output is not there.
    """
    outputs = {}
    for path in makes:
        if not path.is_file():
            raise ArtefactError("job ended without one of its outputs", file=path, command=made_of["command"][0],
                                remedy="this is a bug of the command")  # fmt: skip
        outputs[path.as_posix()] = digest = files.md5(path)
        put_in_cache(path, digest)
    files.write_json(JOBS / f"{key}.json", {**made_of, "outputs": outputs})
    for path, digest in outputs.items():
        _write_receipt(Path(path), digest)


def put_in_cache(path: Path, digest: str) -> None:
    """Puts the file, of this md5, in the cache, whole and on disk.

    DVC would do it too, but does not flush: a power cut can leave a part of a file, which DVC then takes for whole.
    """
    cached = cache_file(digest)
    if is_cached(digest):
        remove_leftovers(cached.parent, f".{cached.name}.tmp*")
        return
    with files.atomic(cached) as temporary:
        shutil.copyfile(path, temporary)
        os.chmod(temporary, 0o444)  # as DVC does: it takes a file that can be written for one to be checked


def remove_leftovers(folder: Path, pattern: str = ".*.tmp*") -> None:
    """Removes below `folder` what writes began that were killed, or lost their power; not what a running one writes."""
    for left in folder.rglob(pattern):
        name = re.search(r"\.tmp(\d+)", left.name)
        if name and not files.is_running(name[1]):
            left.unlink(missing_ok=True)


def _is_altered(path: Path) -> bool:
    receipt = _receipt(path)
    return receipt is not None and path.is_file() and _digest(path, receipt) != receipt["made"][-1]


def _digest(path: Path, receipt: Mapping[str, Any] | None) -> str:
    """The md5 of the file, which is read only where size or time are not those of the receipt."""
    stat = path.stat()
    if receipt is not None and (stat.st_size, stat.st_mtime_ns) == (receipt["size"], receipt["mtime_ns"]):
        return receipt["made"][-1]
    digest = files.md5(path)
    if receipt is not None and digest == receipt["made"][-1]:
        with contextlib.suppress(ArtefactError):  # a checkout that may only be read: it is read again next time
            _write_receipt(path, digest)
    return digest


def _receipt_file(path: Path) -> Path:
    return OUTPUTS / f"{path.as_posix()}.json"


def _receipt(path: Path) -> dict[str, Any] | None:
    try:
        receipt = files.read_json(_receipt_file(path))
        return receipt if receipt.keys() >= {"made", "size", "mtime_ns"} and receipt["made"] else None
    except (ArtefactError, AttributeError):
        return None


def _write_receipt(path: Path, digest: str) -> None:
    """`digest` comes last: it is what is there now."""
    before = _receipt(path)
    made = [other for other in (before["made"] if before else ()) if other != digest] + [digest]
    stat = path.stat()
    files.write_json(_receipt_file(path), {"made": made, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns})
