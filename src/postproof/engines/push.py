"""Send what dvc.lock records to the DVC remote (`make push`)."""

from __future__ import annotations

import subprocess
from pathlib import Path

from postproof.core.errors import EngineError
from postproof.engines import dvc_state, dvcfile, lockfile, receipts
from postproof.engines.sync import run


def add_arguments(parser) -> None:
    pass


def main(args) -> None:
    """Raises EngineError when there is no remote, the record is not committed, or the cache does not hold all of it.

    DVC would send what is there, damaged or not, and a reader would find the rest missing.
    """
    root = Path.cwd()
    dvc_state.check_installed()
    url = dvc_state.default_remote(root)
    if url is None:
        raise EngineError("no DVC remote is set", file=root / ".dvc/config", remedy="set one: docs/sharing.md")
    artefacts = lockfile.read(root)
    in_git = [item for item in artefacts if dvcfile.in_git(item.path)]
    check_committed(root, [lockfile.LOCK_FILE, str(dvcfile.DVC_FILE), *(item.path for item in in_git)])
    to_send = [item for item in artefacts if item not in in_git]
    lacking = [item for item in to_send if not receipts.is_cached(item.md5)]
    if lacking:
        raise EngineError("the DVC cache does not hold what dvc.lock records, or damaged copies of it",
                          artefacts=f"{len(lacking)}, the first: {lacking[0].path}",
                          remedy="run `snakemake --cores`, then `make record`")  # fmt: skip
    run("dvc", "push")
    print(f"{url} has the {len(to_send)} artefacts of {lockfile.LOCK_FILE} that Git does not hold")


def check_committed(root: Path, paths: list[str]) -> None:
    """Raises EngineError when one of the files is not as in the last commit: readers get that, not what is here."""
    done = subprocess.run(
        ["git", "-C", str(root), "status", "--porcelain", "--", *paths], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise EngineError("cannot tell what is committed", git_said=done.stderr.strip(),
                          remedy="push from a checkout that Git knows")  # fmt: skip
    if done.stdout:
        raise EngineError("what is recorded is not committed", first=done.stdout.splitlines()[0],
                          remedy="`git add` and `git commit` it, then push")  # fmt: skip
