"""What DVC makes of dvc.yaml and dvc.lock: the one place of the project that reaches into its Python interface."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from postproof.core import environment
from postproof.core.errors import EngineError
from postproof.engines.lockfile import CODE_STAGE


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

    DVC (3.67) reads and parses the file for each stage that uses it, which is more than half of `dvc status`.
    """
    check_installed()
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

    load_path.keeps = True
    param.load_path = load_path


def _repo(root: Path) -> Any:
    check_installed()
    from dvc.repo import Repo

    environment.do_without_git(root)
    return Repo(str(root))


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
