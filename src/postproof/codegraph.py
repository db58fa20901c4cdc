"""Which source files a command runs: the modules that its entry module imports, and theirs, and so on."""

from __future__ import annotations

import functools
from pathlib import Path

import grimp

import postproof

SOURCE = Path(postproof.__file__).parent
# A command is started by these (cli.py), so they are part of every job.
STARTERS = ("postproof.__main__", "postproof.cli")


@functools.cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph("postproof", exclude_type_checking_imports=True, cache_dir=None)


@functools.cache
def closure(command: str) -> list[str]:
    """Files below the repository's root (`src/postproof/...`), sorted, that `python -m postproof COMMAND` imports.

    Packages count with their __init__.py, which Python runs on the way to the module.
    Raises ValueError when there is no such module.
    """
    modules = set()
    for entry in (f"postproof.{command}", *STARTERS):
        modules |= {entry} | _graph().find_upstream_modules(entry)
    modules |= {".".join(module.split(".")[:depth]) for module in modules for depth in range(1, module.count(".") + 1)}
    return sorted(_file(module) for module in modules)


def _file(module: str) -> str:
    below = module.split(".")[1:]
    path = SOURCE.joinpath(*below)
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path.relative_to(SOURCE.parents[1]).as_posix()
