"""What a container or a batch job leaves to us: never more than the machine has, or than any group above leaves."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from groups_helpers import control_group
from postproof.engines import limits

MB = 1_000_000


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def within(tmp_path: Path, membership: str, files: dict[str, str]) -> dict[str, Path]:
    """Arguments for a machine whose control groups say this."""
    put(tmp_path, {"membership": membership} | {f"mounted/{name}": text for name, text in files.items()})
    return {"mounted": tmp_path / "mounted", "membership": tmp_path / "membership"}


@pytest.fixture
def machine(monkeypatch):
    """A machine of 8 processors and 64 GB."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    free = type("Memory", (), {"available": 64_000 * MB})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)


@pytest.mark.parametrize(
    "membership, files, cores",
    [
        ("0::/", {}, 8),
        ("0::/", {"cpu.max": "max 100000\n"}, 8),
        ("0::/", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/", {"cpu.max": "250000 100000\n"}, 2),  # two jobs fit, a third would slow all
        ("0::/", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/", {"cpu.max": "1600000 100000\n"}, 8),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000\n", "a/b/cpu.max": "max 100000\n"}, 3),
        ("0::/a/b\n", {"a/cpu.max": "600000 100000\n", "a/b/cpu.max": "400000 100000\n"}, 4),
        ("4:cpu,cpuacct:/x\n0::/\n", {"cpu,cpuacct/x/cpu.cfs_quota_us": "150000\n",
                                     "cpu,cpuacct/x/cpu.cfs_period_us": "100000\n"}, 1),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ("0::/outside/path\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/", {"cpu.max": ""}, 8),
    ],
)  # fmt: skip
def test_processors_are_those_of_the_smallest_quota(machine, tmp_path, membership, files, cores):
    assert limits.cores(**within(tmp_path, membership, files)) == cores


@pytest.mark.parametrize(
    "membership, files, mb",
    [
        ("0::/", {}, 64_000),
        ("0::/", {"memory.max": "max\n", "memory.current": "5\n"}, 64_000),
        ("0::/", {"memory.max": f"{2000 * MB}\n", "memory.current": f"{500 * MB}\n"}, 1500),
        ("0::/", {"memory.max": f"{2000 * MB}\n", "memory.current": f"{500 * MB}\n",
                  "memory.stat": f"anon 5\ninactive_file {300 * MB}\n"}, 1800),
        ("0::/a/b\n", {"a/memory.max": f"{900 * MB}\n", "a/memory.current": f"{1000 * MB}\n"}, 0),
        ("3:memory:/job\n0::/\n", {"memory/job/memory.limit_in_bytes": f"{3000 * MB}\n",
                                   "memory/job/memory.usage_in_bytes": f"{2000 * MB}\n",
                                   "memory/job/memory.stat": f"total_inactive_file {MB}\n"}, 1001),
        ("3:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n",
                          "memory/memory.usage_in_bytes": "1\n"}, 64_000),
    ],
)  # fmt: skip
def test_memory_is_what_the_fullest_group_has_left(machine, tmp_path, membership, files, mb):
    assert limits.memory_mb(**within(tmp_path, membership, files)) == mb


def test_this_machine_has_some_of_both():
    assert 1 <= limits.cores() <= os.cpu_count()
    assert 0 <= limits.memory_mb() <= psutil.virtual_memory().total // MB


def test_in_a_real_control_group_memory_is_what_it_has_left():
    script = "from postproof.engines import limits; print(limits.memory_mb())"
    with control_group(memory_mb=700) as within:
        done = subprocess.run([*within, sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 300 < int(done.stdout) <= 700
