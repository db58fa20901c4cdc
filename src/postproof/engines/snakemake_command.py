"""The command `snakemake` of this environment: Snakemake's own, but for two things.

`--cores` may stand without a number. Snakemake's help says that it then takes all cores; its parser (9.27) refuses
that. The promise of this project, `snakemake --cores`, should not depend on which of the two a version follows. All
cores are those that a container leaves to us: Snakemake counts the machine's.

`--profile profiles/slurm` means it. Snakemake puts profiles/default, which says `executor: local`, over whatever
`--profile` names; another profile of the project stands over that one here, and over the user's own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from postproof import cli
from postproof.engines import limits

OPTIONS = ("--cores", "-c")
PROFILE_OPTIONS = ("--profile", "--workflow-profile")
OF_PROFILES = tuple(f"{option}=" for option in PROFILE_OPTIONS)
PROFILES = Path("profiles")  # of the checkout
DEFAULT = PROFILES / "default"


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


def with_our_profile(arguments: list[str]) -> list[str]:
    """The arguments with the default profile below any other of the project's that `--profile` names."""
    completed: list[str] = []
    rest = [part for each in arguments for part in (each.split("=", 1) if each.startswith(OF_PROFILES) else [each])]
    while rest:
        completed.append(rest.pop(0))
        if completed[-1] in PROFILE_OPTIONS and rest and _is_ours(rest[0]):
            completed[-1:] = ["--profile", str(DEFAULT), "--workflow-profile", rest.pop(0)]
    return completed


def _is_ours(profile: str) -> bool:
    folder = (PROFILES / profile if Path(profile).name == profile else Path(profile)).resolve()
    return folder.parent == PROFILES.resolve() and folder != DEFAULT.resolve() and (folder / "config.yaml").is_file()


def run() -> None:
    """Raises no error of its own; in another checkout than the installed one, that checkout's code is used."""
    cli.use_own_code_or_exit(["-m", "postproof.engines.snakemake_command", *sys.argv[1:]])
    from snakemake.cli import main

    main(with_our_profile(with_all_cores(sys.argv[1:], limits.cores())))


if __name__ == "__main__":
    run()
