"""The command `snakemake` of this environment: Snakemake's own, but `--cores` may stand without a number.

Snakemake's help says that without a number it takes all cores; its parser (9.27) refuses that. The promise of this
project, `snakemake --cores`, should not depend on which of the two a version follows. All cores are those that a
container leaves to us: Snakemake counts the machine's.
"""

from __future__ import annotations

import sys

from postproof import cli
from postproof.engines import limits

OPTIONS = ("--cores", "-c")


def with_all_cores(arguments: list[str], cores: int) -> list[str]:
    """The arguments with a number in place of `all`, and after a `--cores` or `-c` that no number follows."""
    completed: list[str] = []
    rest = list(arguments)
    while rest:
        completed.append(rest.pop(0))
        if completed[-1] in OPTIONS and not (rest and rest[0].isdigit()):
            completed.append(str(cores))
            if rest[:1] == ["all"]:
                rest.pop(0)
    return completed


def run() -> None:
    """Raises no error of its own; in another checkout than the installed one, that checkout's code is used."""
    cli.use_own_code_or_exit(["-m", "postproof.engines.snakemake_command", *sys.argv[1:]])
    from snakemake.cli import main

    main(with_all_cores(sys.argv[1:], limits.cores()))


if __name__ == "__main__":
    run()
