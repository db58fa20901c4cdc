"""The command `snakemake` of this environment: Snakemake's own, but `--cores` may stand without a number.

Snakemake's help says that without a number it takes all cores; its parser (9.27) refuses that. The promise of this
project, `snakemake --cores`, should not depend on which of the two a version follows.
"""

from __future__ import annotations

import sys

from postproof import cli

OPTIONS = ("--cores", "-c")


def with_all_cores(arguments: list[str]) -> list[str]:
    """The arguments with `all` put in after a `--cores` or `-c` that no number of cores follows."""
    completed = []
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        completed.append(argument)
        if argument in OPTIONS and not (following.isdigit() or following == "all"):
            completed.append("all")
    return completed


def run() -> None:
    """Raises no error of its own; in another checkout than the installed one, that checkout's code is used."""
    cli.use_own_code_or_exit(["-m", "postproof.engines.snakemake_command", *sys.argv[1:]])
    from snakemake.cli import main

    main(with_all_cores(sys.argv[1:]))


if __name__ == "__main__":
    run()
