"""Faults at each system call of a command, by strace: it is killed there, or the call fails, once or from there on.

A command is traced once, undisturbed; each of its calls on a file of the test's folder is then a point at which another
run of it gets a fault. strace counts the calls of each process by their name; that is how a point is found again.
"""

from __future__ import annotations

import collections
import functools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
ALL = "POSTPROOF_ALL_FAULTS"  # environment variable of `make test-all`: every fault at every point, for hours
KILLED = "killed"
ERRORS = ("EIO", "ENOSPC")
_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_PATH = re.compile(r'"([^"]+)"|<([^>]+)>')


@dataclass(frozen=True)
class Point:
    """The `number`-th call of this name of a process, on a file of the folder."""

    call: str
    number: int
    path: str  # below the folder


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
    wanted = {call for kind in kinds for call in CALLS[kind]}
    for line in log.read_text(errors="replace").splitlines():
        match = _LINE.match(line)
        if not match or match[2] not in wanted:
            continue
        process, call, arguments = match.groups()
        counts[process, call] += 1
        if call in ("open", "openat") and "O_CREAT" not in arguments:
            continue
        paths = (Path(name or place) for name, place in _PATH.findall(arguments.split(" = ")[0]))
        below = [path for path in ((folder / path) for path in paths) if path.is_relative_to(folder) and path != folder]
        if below:
            name = re.sub(r"\.tmp\d+", ".tmp", str(below[-1].relative_to(folder)))
            found.setdefault(Point(call, counts[process, call], name))
    return list(found)


def each(found: Sequence[Point], at_most: int | None = None, seed: int = 0) -> Iterator[Fault]:
    """Every fault at every point: killed, EIO and ENOSPC, once and from there on; or a choice of them, of all calls."""
    faults = [
        Fault(point, effect, lasting)
        for point in found
        for effect, lasting in [(KILLED, False), *((error, lasting) for error in ERRORS for lasting in (False, True))]
    ]
    if at_most is not None and len(faults) > at_most:
        # In steps that meet all points and all effects: 5 effects a point, and a step that 5 does not divide.
        step = max(len(faults) // at_most, 1)
        step += step % 5 == 0
        faults = [faults[(seed + index * step) % len(faults)] for index in range(at_most)]
    return iter(faults)


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
