"""A GPU is one job's at a time, and free again however that ends."""

import os
import signal
import subprocess
import sys
import threading
import uuid

import pytest

from postproof.core.errors import DeviceError
from postproof.engines import gpus

LISTING = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaa)
  MIG 3g.20gb     Device  0: (UUID: MIG-bbb)
  MIG 3g.20gb     Device  1: (UUID: MIG-ccc)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-ddd)
"""
HOLDS = """
import time
from postproof.engines import gpus
with gpus.held(1) as devices:
    print(*devices, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def names(monkeypatch) -> list[str]:
    """Of two GPUs that nobody else on this machine has, and that are visible."""
    names = [f"GPU-{uuid.uuid4()}" for _ in range(2)]
    monkeypatch.setattr(gpus, "SECONDS_BETWEEN_TRIES", 0.01)
    monkeypatch.setenv(gpus.VISIBLE, ",".join(names))
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return names


@pytest.mark.parametrize(
    "visible, seen",
    [
        ("", []),
        ("0", ["0"]),
        ("2, 0", ["2", "0"]),
        ("GPU-aaa,MIG-b/1", ["GPU-aaa", "MIG-b/1"]),
        ("-1", []),
        ("3,-1,2", ["3"]),
        ("GPU-1a-1b,0", ["GPU-1a-1b", "0"]),
    ],
)
def test_devices_are_those_that_cuda_would_see(monkeypatch, visible, seen):
    monkeypatch.setenv(gpus.VISIBLE, visible)
    assert gpus.devices() == seen


def test_a_gpu_that_is_divided_counts_as_its_parts():
    assert gpus.listed(LISTING) == ["MIG-bbb", "MIG-ccc", "GPU-ddd"]
    assert gpus.listed("No devices were found\n") == []


def test_jobs_get_different_gpus_and_see_no_other(monkeypatch, names):
    with gpus.held(1) as first:
        assert os.environ[gpus.VISIBLE] == names[0]
        monkeypatch.setenv(gpus.VISIBLE, ",".join(names))  # another job's environment
        with gpus.held(1) as second:
            assert [*first, *second] == names and os.environ[gpus.VISIBLE] == names[1]


def test_a_job_waits_until_there_are_as_many_as_it_needs(monkeypatch, names, capsys):
    taken = []

    def needs_two() -> None:
        with gpus.held(2) as devices:
            taken.extend(devices)

    with gpus.held(1):
        monkeypatch.setenv(gpus.VISIBLE, ",".join(names))
        waiting = threading.Thread(target=needs_two)
        waiting.start()
        waiting.join(timeout=0.3)
        assert waiting.is_alive() and taken == []
        with gpus.held(1) as other:  # what the waiting one cannot use yet is nobody's
            assert other == names[1:]
    waiting.join(timeout=30)
    assert taken == names and "waits for a GPU" in capsys.readouterr().err


def test_a_job_that_is_killed_leaves_its_gpu(names):
    first, second = _start(), _start()
    devices = [_device(first), _device(second)]
    assert sorted(devices) == sorted(names)
    third = _start()
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert _device(third) == devices[0]
    for process in (second, third):
        process.kill()
        process.wait()


def _start() -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True)


def _device(process: subprocess.Popen) -> str:
    return process.stdout.readline().strip()


def test_a_device_of_one_allocation_is_not_that_of_another(monkeypatch, names):
    with gpus.held(2):
        monkeypatch.setenv(gpus.VISIBLE, ",".join(names))
        monkeypatch.setenv("SLURM_JOB_ID", "12")
        with gpus.held(2) as devices:
            assert devices == names


def test_no_gpu_is_no_error_too_few_are(monkeypatch, names):
    with pytest.raises(DeviceError, match="needs 3"), gpus.held(3):
        pass
    monkeypatch.setenv(gpus.VISIBLE, "")
    with gpus.held(3) as devices:
        assert devices == []
