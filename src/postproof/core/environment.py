"""What this process and those that it starts are told by the environment, where a user's says nothing or too much."""

from __future__ import annotations

import codecs
import locale
import os
import pwd
import sys
from pathlib import Path

from postproof.core import files
from postproof.core.errors import EngineError

HOME = Path(".postproof/home")  # in a checkout
# Where programs that we start look for the name of whoever runs them, before they ask the system.
NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


# The first: what lies in the working directory is not imported, a user's `random.py` is not Python's.
FIXED = {"PYTHONSAFEPATH": "1", "PYTHONUTF8": "1"}
LEFT_OUT = (
    "PYTHONOPTIMIZE",  # takes out asserts
    "PYTHONWARNINGS",  # can turn a library's warning into an error
    "PYTHONINSPECT",  # asks for more input at the end
    "PYTHONIOENCODING",
    "MPLBACKEND",
    "MATPLOTLIBRC",
    "BASH_ENV",  # a file that bash would run first
    "GIT_DIR",  # a hook of Git's sets these three: another repository would be read
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
)


def check_folder(checkout: Path) -> None:
    """Raises EngineError for a folder where no checkout can be: `:` parts paths in PATH, { } are fields to DVC."""
    path = checkout.resolve()
    if set(":{}\n") & set(str(path)):
        raise EngineError("a checkout cannot be in this folder", folder=path, remedy="move it, or clone it to another",
                          allowed="a path without : { } and line ends")  # fmt: skip


def settle() -> bool:
    """Fixes what a user's shell says to Python, matplotlib and bash: it could stop them, or change what they write.

    Whether this Python was started under something else, so that only one started anew is as it should be.
    """
    found = [name for name in LEFT_OUT if os.environ.pop(name, None)]
    os.environ |= FIXED
    other_text = codecs.lookup(locale.getencoding()).name != "utf-8" and not sys.flags.utf8_mode
    return bool(found) or other_text


def give_home(checkout: Path) -> None:
    """Sees to it that processes started from here have a home and a name.

    A container often runs as a user without any: Snakemake, DVC and matplotlib then cannot start, for want of a place
    for their caches. They get one in the checkout, if that can be written.
    """
    if not any(os.environ.get(name) for name in NAMES) and not _has_name():
        os.environ["USER"] = f"uid{os.getuid()}"
    home = Path(os.path.expanduser("~"))  # stays `~` where the system knows of none
    if home.is_absolute() and _can_be_written(home) or not _can_be_written(checkout):
        return
    ours = checkout.resolve() / HOME
    ours.mkdir(parents=True, exist_ok=True)
    if not home.is_absolute() or not home.is_dir():
        os.environ["HOME"] = str(ours)
        return
    # A home that can only be read still has configuration, and models that were fetched before.
    os.environ.setdefault("HF_HOME", str(home / ".cache/huggingface"))
    os.environ.setdefault("XDG_CACHE_HOME", str(ours))
    os.environ.setdefault("MPLCONFIGDIR", str(ours))


def do_without_git(checkout: Path) -> None:
    """Tells DVC, which stops otherwise, that a checkout is in no repository of Git: it was unpacked from an archive."""
    local = checkout / ".dvc/config.local"
    in_git = any((folder / ".git").exists() for folder in (checkout, *checkout.parents))
    if not in_git and _can_be_written(local.parent) and not local.exists():
        files.write_text(local, "# Made since there was no repository of Git here; delete it when there is one.\n"
                                "[core]\n    no_scm = true\n")  # fmt: skip


def _has_name() -> bool:
    try:
        return bool(pwd.getpwuid(os.getuid()))
    except KeyError:
        return False


def _can_be_written(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
