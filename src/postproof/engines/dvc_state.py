"""What DVC makes of dvc.yaml and dvc.lock: the one place of the project that reaches into its Python interface."""

from __future__ import annotations

import collections
import contextlib
import importlib.util
import os
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from postproof.core import environment, files
from postproof.core.errors import EngineError
from postproof.engines.lockfile import CODE_STAGE

_NAME = re.compile(r"[A-Za-z_][\w-]*")  # no number, of which YAML makes another key, and no pattern of dpath's


def is_installed() -> bool:
    return importlib.util.find_spec("dvc") is not None


def check_installed() -> None:
    """Raises EngineError where DVC is not installed."""
    if not is_installed():
        raise EngineError("DVC is not installed, which this needs",
                          remedy="`make setup` installs it; `snakemake --cores`, `postproof verify`, `postproof sync "
                          "--pull` from a folder or over HTTP do without")  # fmt: skip


def read_params_once() -> None:
    """Has DVC keep what it read of a file of parameters, for as long as the file stays as it is.

    DVC (3.67) reads and parses the file for each stage that uses it, which is more than half of `dvc status`, and then
    looks at every value in it for each key: with a list of a thousand seeds that is a million for their stages.
    """
    check_installed()
    import dpath
    from dvc.dependency import param

    if getattr(param.load_path, "keeps", False):
        return
    read, kept = param.load_path, {}

    def load_path(path: str, fs: Any, **options: Any) -> Any:
        if fs.protocol != "local" or options:
            return read(path, fs, **options)
        stat = os.stat(path)
        state = path, stat.st_ino, stat.st_size, stat.st_mtime_ns
        if state not in kept:
            kept[state] = read(path, fs)
        return kept[state]

    def get(content: Any, key: str, separator: str) -> Any:
        found = content
        for part in key.split(separator):
            if not _NAME.fullmatch(part) or not isinstance(found, dict) or part not in found:
                return dpath.get(content, key, separator=separator)
            found = found[part]
        return found

    load_path.keeps = True
    param.load_path = load_path
    param.dpath = types.SimpleNamespace(get=get, search=dpath.search)


def write_whole() -> None:
    """Has DVC put its YAML in place whole.

    It (3.67) empties dvc.lock and then writes it: a kill in between leaves a part, which DVC cannot read any more.
    """
    from dvc.utils.serialize import _common, _yaml

    write = _common._dump_data
    if getattr(write, "is_whole", False):
        return

    def dump_data(path: Any, data: Any, dumper: Any, fs: Any = None, **options: Any) -> None:
        if fs is not None and fs.protocol != "local":
            return write(path, data, dumper, fs=fs, **options)
        with files.atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            dumper(data, file, **options)

    dump_data.is_whole = True
    _common._dump_data = _yaml._dump_data = dump_data


def mend_locks() -> None:
    """Has DVC begin its list of files in use anew where it is no JSON, in place of stopping for good.

    It (3.67) writes that list in place, so whoever is killed then, or loses the power, leaves a part of it. Where
    nothing may be written, the list is kept in memory: nobody changes a file there.
    """
    from dvc import rwlock

    edit = rwlock._edit_rwlock
    if getattr(edit, "mends", False):
        return

    in_memory: dict[str, Any] = {}

    @contextlib.contextmanager
    def edit_rwlock(folder: str, fs: Any, hardlink: bool) -> Iterator[Any]:
        if not os.access(folder, os.W_OK):
            in_memory.setdefault("read", collections.defaultdict(list))
            in_memory.setdefault("write", collections.defaultdict(dict))
            yield in_memory
            return
        with contextlib.ExitStack() as stack:
            try:
                used = stack.enter_context(edit(folder, fs, hardlink))
            except (rwlock.RWLockFileCorruptedError, rwlock.RWLockFileFormatError):
                fs.remove(fs.join(folder, rwlock.RWLOCK_FILE))
                used = stack.enter_context(edit(folder, fs, hardlink))
            yield used

    edit_rwlock.mends = True
    rwlock._edit_rwlock = edit_rwlock


def leave_outputs() -> None:
    """Has DVC leave an output in place when it is in the cache, where it would be no link anyway.

    It (3.67) removes the file and copies it back: whoever is killed in between has none.
    """
    from dvc.output import Output

    commit = Output.commit
    if getattr(commit, "leaves", False):
        return

    def commit_in_place(output: Any, filter_info: str | None = None, relink: bool = True) -> None:
        links = {"hardlink", "symlink"} & {*output.cache.cache_types}
        commit(output, filter_info, relink=relink and bool(links))

    commit_in_place.leaves = True
    Output.commit = commit_in_place


def _repo(root: Path) -> Any:
    check_installed()
    from dvc.lock import LockNoop
    from dvc.repo import Repo

    environment.do_without_git(root)
    mend_locks()
    repo = Repo(str(root))
    if not os.access(repo.tmp_dir, os.W_OK):  # a checkout that may only be read: DVC has no place for its lock
        repo.lock = LockNoop()
    return repo


def default_remote(root: Path) -> str | None:
    """The address of the remote that DVC takes by itself, whichever of its files of configuration says so."""
    with _repo(root) as repo:
        name = repo.config["core"].get("remote")
        return str(repo.config["remote"][name]["url"]) if name in repo.config["remote"] else None


def stage_names(root: Path) -> set[str]:
    """Every stage of dvc.yaml, `name@item` where it is one of a matrix."""
    with _repo(root) as repo:
        return {stage.name for stage in repo.index.stages}


def outputs_by_stage(root: Path) -> dict[str, set[str]]:
    """Paths of what each stage makes, but for the one that makes the files of the code."""
    with _repo(root) as repo:
        return {
            stage.name: {out.def_path for out in stage.outs} for stage in repo.index.stages if stage.name != CODE_STAGE
        }


def changed(root: Path) -> list[str]:
    """Stages that `dvc status` names.

    The stage of the code is not among them: its files are made anew whenever Snakemake's rules are read, and a stage
    whose code has changed is named itself.
    """
    read_params_once()
    with _repo(root) as repo:
        return [name for name in repo.status() if name != CODE_STAGE]


def plan(root: Path) -> list[str]:
    """The first output of each stage that `dvc status` names, and of each stage that depends on one of them."""
    import networkx

    read_params_once()
    with _repo(root) as repo:
        changed = repo.status()
        code = [stage for stage in repo.index.graph if stage.addressing == CODE_STAGE]
        graph = repo.index.graph.copy()
        graph.remove_nodes_from(code)
        stages = {stage for stage in graph if stage.addressing in changed}
        # DVC's edges point from a stage to what it depends on.
        stages |= {later for stage in stages for later in networkx.ancestors(graph, stage)}
        return sorted(min(out.def_path for out in stage.outs) for stage in stages)
