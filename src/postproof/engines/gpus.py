"""Which GPUs a job gets: as many as its rule's resource `gpu` says, and none that another job has.

Snakemake knows a number only. The job that uses a device holds the one socket of the device's name as long as its
process lives: the kernel lets go of it however the process ends. Such names (Linux's abstract ones, man 7 unix) are the
machine's, whoever the user and whatever the checkout, and leave no file behind. In an allocation of SLURM's, the number
of a device may be another's elsewhere on the machine; its names are its own.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator

from postproof.core import progress
from postproof.core.errors import DeviceError

VISIBLE = "CUDA_VISIBLE_DEVICES"
LOCK = "\0postproof GPU {allocation} {name}"
LISTED = re.compile(r"^( *)(?:GPU|MIG).*\(UUID: ([^)]+)\)", re.MULTILINE)
SECONDS_BETWEEN_TRIES = 0.5


def devices() -> list[str]:
    """Names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them: numbers or UUIDs.

    What that variable says, the scheduler's choice among it; without it all of the machine. A GPU that is divided
    (MIG) counts as its parts.
    """
    if VISIBLE in os.environ:
        names = [name.strip() for name in os.environ[VISIBLE].split(",")]
        # As CUDA reads it: after a device that is not there, none is seen.
        return list(itertools.takewhile(lambda name: name not in ("", "-1"), names))
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return listed(done.stdout) if done.returncode == 0 else []


def listed(listing: str) -> list[str]:
    """UUIDs in what `nvidia-smi -L` prints; the parts of a GPU stand below it, further to the right."""
    found: list[tuple[bool, str]] = []
    for indent, uuid in LISTED.findall(listing):
        if indent and found and not found[-1][0]:
            found.pop()
        found.append((bool(indent), uuid))
    return [uuid for _, uuid in found]


@contextlib.contextmanager
def held(count: int) -> Iterator[list[str]]:
    """Yields names of `count` GPUs that no other job has until the end; CUDA in this process sees only them.

    Waits until there are as many. On a machine without any, none: the command says what it does then.
    Raises DeviceError when there are some, but fewer than `count`.
    """
    names = devices() if count else []
    if not names:
        yield []
        return
    if len(names) < count:
        raise DeviceError(f"this job needs {count} GPUs, and there are fewer", devices=",".join(names),
                          remedy=f"have its rule ask for fewer (resources: gpu), or {VISIBLE} show more")  # fmt: skip
    with contextlib.ExitStack() as locks:
        taken = _take(names, count, locks)
        if len(taken) < count:
            progress.say(f"postproof: waits for a GPU: other jobs have them ({', '.join(names)})")
        while len(taken) < count:
            time.sleep(SECONDS_BETWEEN_TRIES)
            taken = _take(names, count, locks)
        os.environ[VISIBLE] = ",".join(taken)
        yield taken


def _take(names: list[str], count: int, locks: contextlib.ExitStack) -> list[str]:
    """`count` of the names, whose locks go to `locks`; none where fewer are free, or two jobs could wait in turn."""
    allocation = os.environ.get("SLURM_JOB_ID", "")
    taken: list[str] = []
    with contextlib.ExitStack() as tried:
        for name in names:
            lock = tried.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            try:
                lock.bind(LOCK.format(allocation=allocation, name=name))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                taken.append(name)
            if len(taken) == count:
                locks.enter_context(tried.pop_all())
                return taken
    return []
