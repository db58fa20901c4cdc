"""What the machine can do, and how much of it is left to this process: processors and memory, within those of its
container or batch job.

Linux tells a container's share in control groups: files of the process's group and of every group above it, in
one hierarchy (version 2) or one for each resource (version 1). See the kernel's documentation, admin-guide/cgroup-v2
(cpu.max, memory.max) and admin-guide/cgroup-v1.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def cores(mounted: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Whole processors that this process may keep busy: those that it may run on, within the quota of its groups."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shares = [usable]
    for group in groups("cpu", mounted, membership):
        match numbers(group / "cpu.max"):
            case [quota, period]:
                shares.append(quota // period)
        match numbers(group / "cpu.cfs_quota_us"), numbers(group / "cpu.cfs_period_us"):
            case [quota], [period] if quota > 0:
                shares.append(quota // period)
    return max(1, min(shares))


def memory_mb(mounted: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Memory that is free now, in MB: the machine's, within what its groups have left.

    Pages of files, which the kernel gives up when memory is asked for, count as free.
    """
    free = [psutil.virtual_memory().available]
    for group in groups("memory", mounted, membership):
        for limit, used, files_of in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            match numbers(group / limit), numbers(group / used):
                case [most], [now]:
                    free.append(max(0, most - now + statistic(group / "memory.stat", files_of)))
    return min(free) // 1_000_000


def groups(controller: str, mounted: Path, membership: Path) -> Iterator[Path]:
    """The folders of the process's group and of all above it, in the hierarchies that may limit this resource."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux, or no such files
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = mounted / controllers if controllers else mounted
        relative = Path(path.lstrip("/"))
        # In a container the path may be the one outside, which is not there: then only the root is.
        yield from (root / each for each in (relative, *relative.parents))


def numbers(file: Path) -> list[int]:
    """The whole numbers of a file of one line; none where it is not there, or says "max"."""
    try:
        return [int(word) for word in file.read_text(encoding="ascii").split()]
    except (OSError, ValueError):
        return []


def statistic(file: Path, name: str) -> int:
    try:
        lines = dict(line.split() for line in file.read_text(encoding="ascii").splitlines())
        return int(lines.get(name, 0))
    except (OSError, ValueError):
        return 0
