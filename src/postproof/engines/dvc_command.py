"""The command `dvc` of this environment: DVC's own, but it reads params.yaml once, and bears that it is killed."""

from __future__ import annotations

import sys
from pathlib import Path

from postproof import cli
from postproof.core import environment
from postproof.core.errors import EngineError
from postproof.engines import dvc_state


def run() -> int:
    """DVC's exit code; in another checkout than the installed one, that checkout's code is used."""
    cli.use_own_code_or_exit(["-m", "postproof.engines.dvc_command", *sys.argv[1:]])
    try:
        dvc_state.check_installed()
    except EngineError as error:
        return cli.report(error, log=None)
    from dvc.cli import main

    environment.do_without_git(Path.cwd())
    dvc_state.read_params_once()
    dvc_state.write_whole()
    dvc_state.mend_locks()
    dvc_state.leave_outputs()
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
