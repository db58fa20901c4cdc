"""What can go wrong, in families: one class, one exit code and one name in the log for each.

An exception here means that a job cannot go on: `cli.main` is where it ends, as a message, an exit code and a line
of JSON in the job's log, which `postproof why` reads. Outcomes that a caller must expect anyway (a claim that
does not hold, a machine without a GPU, a hub out of reach) are values: see `claims.Verdict`,
`devices.Unavailable` and `data.hub.Unreachable`.
"""

from __future__ import annotations

import errno
import traceback
from typing import Any

BUG_EXIT_CODE = 70  # of an error that nobody raised on purpose; sysexits.h: EX_SOFTWARE
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

    def __str__(self) -> str:
        lines = [self.message]
        lines += [f"  {key.replace('_', ' ')}: {value}" for key, value in self.context.items()]
        lines += [f"  cause: {cause}" for cause in causes(self)]
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


class ResourceError(PostproofError):
    """The machine has less memory than the work needs."""

    family, exit_code = "resource", 18
    remedy = "close what else runs, run fewer jobs at once (`snakemake --cores 1`), or use a machine with more memory"


def causes(error: BaseException) -> list[str]:
    """The chain of causes, nearest first, as `Type: text`: of `raise ... from`, or what was being handled."""
    chain = []
    while (error := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        text = error.message if isinstance(error, PostproofError) else " ".join(str(error).split())
        chain.append(f"{type(error).__name__}: {text}")
    return chain


def of_ours(error: BaseException) -> BaseException:
    """The error, or ours in its place where it tells of what no program can prevent and not of a fault in the code."""
    # torch's allocator for the CPU raises a plain RuntimeError; the one for CUDA a subclass of it.
    of_torch = isinstance(error, RuntimeError) and ("allocate memory" in str(error) or "out of memory" in str(error))
    if isinstance(error, MemoryError) or of_torch:
        ours: PostproofError = ResourceError("out of memory")
    elif isinstance(error, OSError) and errno.errorcode.get(error.errno or 0) in _OF_THE_MACHINE:
        remedy = "see that the disk has space and works, and that you may read and write there; then run it again"
        ours = ArtefactError("the system refused", file=error.filename or "not named", remedy=remedy)
    else:
        return error
    ours.__cause__, ours.__traceback__ = error, error.__traceback__
    return ours


def record(error: BaseException) -> dict[str, Any]:
    """The error as one JSON-ready object, for the job's log.

    Three fields are OpenTelemetry's (semantic conventions, "Exceptions in logs"), for whoever collects logs: the class,
    the message and the stack trace with those of all causes, as Python prints it.
    """
    ours = isinstance(error, PostproofError)
    cls = type(error)
    return {
        "level": "error",
        "family": error.family if ours else "bug",
        "exit_code": error.exit_code if ours else BUG_EXIT_CODE,
        "message": error.message if ours else f"{cls.__name__}: {error}",
        "context": {key: str(value) for key, value in error.context.items()} if ours else {},
        "remedy": error.remedy if ours else "",
        "causes": causes(error),
        "exception.type": cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}",
        "exception.message": str(error.message if ours else error),
        "exception.stacktrace": "".join(traceback.format_exception(error)),
    }
