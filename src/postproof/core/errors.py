"""What can go wrong, in families: one class, one exit code and one name in the log for each.

An exception here means that a job cannot go on. Outcomes that a caller must expect anyway (a claim that
does not hold, a machine without a GPU, a hub out of reach) are values: see `claims.Verdict`,
`devices.Unavailable` and `data.hub.Unreachable`.
"""

from __future__ import annotations

import errno
from typing import Any

# What a machine may answer to any call, however right the program is.
_OF_THE_MACHINE = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EMFILE", "ENFILE", "ENOMEM", "ESTALE")


class PostproofError(Exception):
    """Base of every error that postproof raises on purpose.

    `message` says what is wrong, `remedy` what to do about it, and `context` holds the file, key, value
    and allowed range by name. The cause is Python's own (`raise ... from cause`) and is kept in the report.
    """

    family = "postproof"
    exit_code = 1
    remedy = ""  # of the family, for an error that gives none of its own

    def __init__(self, message: str, *, remedy: str = "", **context: Any):
        super().__init__(message)
        self.message = message
        self.remedy = remedy or self.remedy
        self.context = context

    def causes(self) -> list[str]:
        """The chain of causes, nearest first, as `Type: text`."""
        chain, cause = [], self.__cause__
        while cause is not None:
            text = cause.message if isinstance(cause, PostproofError) else " ".join(str(cause).split())
            chain.append(f"{type(cause).__name__}: {text}")
            cause = cause.__cause__
        return chain

    def record(self) -> dict[str, Any]:
        """The error as one JSON-ready object, for the job's log."""
        return {
            "level": "error",
            "family": self.family,
            "exit_code": self.exit_code,
            "message": self.message,
            "context": {key: str(value) for key, value in self.context.items()},
            "remedy": self.remedy,
            "causes": self.causes(),
        }

    def __str__(self) -> str:
        lines = [self.message]
        lines += [f"  {key.replace('_', ' ')}: {value}" for key, value in self.context.items()]
        lines += [f"  cause: {cause}" for cause in self.causes()]
        if self.remedy:
            lines.append(f"  what to do: {self.remedy}")
        return "\n".join(lines)


class UsageError(PostproofError):
    """The command line is off. Same exit code as argparse's own."""

    family, exit_code = "usage", 2


class ParamsError(PostproofError):
    """params.yaml, or a section of it that a job was handed, is not valid."""

    family, exit_code = "params", 10
    remedy = "mend params.yaml, or `git checkout` it"


class DataError(PostproofError):
    """Raw or prepared data are missing, too short, of another hash or not readable."""

    family, exit_code = "data", 11
    remedy = "mend the file, or delete it and run `snakemake --cores`"


class ArtefactError(PostproofError):
    """A file under results/ is missing, truncated, or not what its reader expects."""

    family, exit_code = "artefact", 12
    remedy = "delete the file and run `snakemake --cores`, or restore it with `dvc checkout FILE`"


class TrainingError(PostproofError):
    """Training cannot go on: the loss is not finite."""

    family, exit_code = "training", 13


class DeviceError(PostproofError):
    """The device that was asked for is not there or cannot do what the mode promises."""

    family, exit_code = "device", 14


class ClaimError(PostproofError):
    """A claim cannot be judged: its YAML is wrong, or the artefact it names is."""

    family, exit_code = "claim", 15
    remedy = "mend the claim (claims/mixtral.yaml shows how they are written), or make its table again"


class EngineError(PostproofError):
    """Snakemake, DVC and the working tree do not agree, or one of them cannot be run."""

    family, exit_code = "engine", 16


class UnitError(PostproofError):
    """A unit that is not known, or not written as units are."""

    family, exit_code = "unit", 17
    remedy = "use a unit of postproof/core/units.py, or add one there"


def of_the_machine(error: BaseException) -> ArtefactError | None:
    """What no program can prevent (a full disk, no permission, no memory), for the user; None for another error."""
    remedy = "see that the disk has space and works, and that you may read and write there; then run it again"
    if isinstance(error, OSError) and errno.errorcode.get(error.errno or 0) in _OF_THE_MACHINE:
        refused = ArtefactError("the system refused", file=error.filename or "not named", remedy=remedy)
    elif isinstance(error, MemoryError) or isinstance(error, RuntimeError) and "allocate memory" in str(error):
        # torch has no class of its own for the processor's memory.
        refused = ArtefactError("there is not enough memory", remedy="run fewer jobs at once (`snakemake --cores 1`), "
                                "raise the limit of memory, or ask for less in params.yaml")  # fmt: skip
    else:
        return None
    refused.__cause__ = error
    return refused
