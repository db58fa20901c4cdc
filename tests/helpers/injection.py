"""Faults at each system call of a command, by strace: it is killed there, or the call fails, once or from there on.

A command is traced once, undisturbed; each of its calls on a file of the test's folder is then a point at which another
run of it gets a fault. strace counts the calls of each process by their name; that is how a point is found again.

Most calls repeat others: a loop does the same to each of many files. Points of one *site* are those where the same call
on a file of the same kind (folder and suffix, digests aside) follows the same one. The first and the last of each site
tell what all would: what the loop does before there is anything, and after.
"""

from __future__ import annotations

import collections
import functools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

# By kind. A name that the machine has not is left out by strace's `?`.
CALLS = {
    "rename": ("rename", "renameat", "renameat2"),
    "fsync": ("fsync", "fdatasync"),
    "remove": ("unlink", "unlinkat", "rmdir"),
    "read": ("read", "pread64"),
    "write": ("write", "pwrite64", "sendfile", "copy_file_range", "ftruncate"),
    "create": ("openat", "open", "mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat"),
    "chmod": ("chmod", "fchmod", "fchmodat"),
}
ALL = "POSTPROOF_ALL_FAULTS"  # environment variable of `make test-all`: faults at each site, for hours
# Of a command's faults at each site, each part a test, so that workers share a long command; none without ALL.
PARTS = range(12) if os.environ.get(ALL) else ()
KILLED = "killed"
ERRORS = ("EIO", "ENOSPC")
_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_PLACE = re.compile(r'<([^>]+)>|"([^"]+)"')  # what a descriptor stands for; a name, which may be below the one before
_DIGEST = re.compile(r"\b[0-9a-f]{2}(?=/)|[0-9a-f]{30,}")  # a folder of DVC's cache; a file there, or of a job


@dataclass(frozen=True)
class Point:
    """The `number`-th call of this name of a process, on a file of the folder."""

    call: str
    number: int
    path: str  # below the folder
    site: tuple = field(compare=False, default=())


@dataclass(frozen=True)
class Fault:
    """What happens there: `effect` is `killed` or an error's name. `lasting`: at each later call of it too."""

    point: Point
    effect: str
    lasting: bool = False

    @property
    def options(self) -> list[str]:
        effect = "signal=KILL" if self.effect == KILLED else f"error={self.effect}"
        return ["-e", f"inject={self.point.call}:{effect}:when={self.point.number}{'+' if self.lasting else ''}"]

    def __str__(self) -> str:
        how = self.effect + (" from there on" if self.lasting else "")
        return f"{self.point.call} {self.point.number} ({self.point.path}): {how}"


@functools.cache
def why_not() -> str:
    """Why nothing can be traced here; empty where it can."""
    if shutil.which("strace") is None:
        return "there is no strace (Debian: apt install strace)"
    line = ["strace", "-qq", "-o", os.devnull, "-e", "inject=write:signal=KILL", "echo", "alive"]
    done = subprocess.run(line, capture_output=True, text=True)
    return "" if done.returncode == -signal.SIGKILL else f"strace may not trace here: {done.stderr.strip()[:100]}"


def traced(log: Path, *options: str, kinds: Sequence[str] = tuple(CALLS)) -> list[str]:
    """The beginning of a line that runs what follows under strace, its children too."""
    calls = ",".join(f"?{call}" for kind in kinds for call in CALLS[kind])
    # Without --seccomp-bpf: with it the signal is silently not delivered (strace 6.1).
    return ["strace", "-f", "-y", "-s0", "-o", str(log), "-e", f"trace={calls}", *options]


def points(log: Path, folder: Path, kinds: Sequence[str] = tuple(CALLS)) -> list[Point]:
    """The calls that changed a file below `folder`, or would have, in their order, each once."""
    found: dict[Point, None] = {}
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    before: dict[str, tuple[str, ...]] = {}  # of each process
    wanted = {call for kind in kinds for call in CALLS[kind]}
    for line in log.read_text(errors="replace").splitlines():
        match = _LINE.match(line)
        if not match or match[2] not in wanted:
            continue
        process, call, arguments = match.groups()
        counts[process, call] += 1
        if call in ("open", "openat") and "O_CREAT" not in arguments:
            continue
        arguments, _, result = arguments.rpartition(" = ")
        if "EEXIST" in result:  # a folder that was there
            continue
        below = [path for path in _paths(arguments, folder) if path.is_relative_to(folder) and path != folder]
        if below:
            name = re.sub(r"\.tmp\d+", ".tmp", str(below[-1].relative_to(folder)))
            what = (call, *_kind(name))
            found.setdefault(Point(call, counts[process, call], name, (before.get(process), what)))
            before[process] = what
    return list(found)


def _paths(arguments: str, folder: Path) -> Iterator[Path]:
    """What the arguments of a call name. A relative name is below the descriptor before it, or else below `folder`."""
    place = None
    for described, name in _PLACE.findall(arguments):
        if name:
            yield (place or folder) / name
            place = None
        elif described.startswith("/"):  # no pipe or socket
            if place is not None:
                yield place
            place = Path(described)
    if place is not None:
        yield place


def _kind(name: str) -> tuple[str, str]:
    path = PurePath(_DIGEST.sub("#", name))
    return str(path.parent), ".tmp" if ".tmp" in path.name else path.suffix


def distinct(found: Sequence[Point]) -> list[Point]:
    """The first and the last point of each site, in their order."""
    ends: dict[tuple, list[Point]] = {}
    for point in found:
        ends[point.site] = [*ends.get(point.site, [])[:1], point]
    chosen = {point for points in ends.values() for point in points}
    return [point for point in found if point in chosen]


def each(found: Sequence[Point], at_most: int | None = None, seed: int = 0) -> Iterator[Fault]:
    """Every fault at every point: killed, EIO and ENOSPC, once and from there on; or a choice of them, of all calls."""
    faults = [fault for point in found for fault in (Fault(point, KILLED), *_errors(point))]
    if at_most is not None and len(faults) > at_most:
        # In steps that meet all points and all effects: 5 effects a point, and a step that 5 does not divide.
        step = max(len(faults) // at_most, 1)
        step += step % 5 == 0
        faults = [faults[(seed + index * step) % len(faults)] for index in range(at_most)]
    return iter(faults)


def in_turn(found: Sequence[Point]) -> Iterator[Fault]:
    """Killed at every point, and one of the errors, by turns."""
    for turn, point in enumerate(found):
        errors = _errors(point)
        yield from (Fault(point, KILLED), errors[turn % len(errors)])


def part_of(faults: Iterable[Fault], part: int) -> list[Fault]:
    """Every so many of them: all parts together are all."""
    return list(faults)[part :: len(PARTS)]


def _errors(point: Point) -> list[Fault]:
    # Nothing that is read runs out of space.
    errors = ERRORS[:1] if point.call in CALLS["read"] else ERRORS
    return [Fault(point, error, lasting) for error in errors for lasting in (False, True)]


def attach(process_id: int, log: Path, *options: str) -> subprocess.Popen:
    """strace on a process that waits stopped; it goes on once strace has it."""
    line = traced(log, *options)
    strace = subprocess.Popen([*line, "-p", str(process_id)], stderr=subprocess.PIPE, text=True)
    said = strace.stderr.readline()
    assert "attached" in said, said
    os.kill(process_id, signal.SIGCONT)
    return strace


def was_injected(log: Path) -> bool:
    text = log.read_text(errors="replace")
    return "(INJECTED)" in text or "+++ killed by SIGKILL +++" in text


def run_under(fault: Fault | None, log: Path, start: Callable[[Callable[[int], None]], int]) -> int:
    """`start` runs a process, hands its id, stopped, to what it is given, and gives the exit code."""
    traces: list[subprocess.Popen] = []
    code = start(lambda process_id: traces.append(attach(process_id, log, *(fault.options if fault else ()))))
    for trace in traces:
        trace.communicate(timeout=60)
    return code
