"""A real SLURM of one node with two GPUs that are none, for tests: its three daemons in a folder, on free ports."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "setpriv")
PLUGIN = "snakemake_executor_plugin_slurm"
CPUS, MEGABYTES = 4, 16_000  # of the node, whatever this machine has
# Any two character devices pass for GPUs.
GPUS = ("/dev/null", "/dev/zero")

CONFIGURATION = """\
ClusterName=postproof
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MailProg=/bin/true
MpiDefault=none
# Control groups need rights that a container rarely gives; SLURM looks at the memory of a job's processes instead.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=1
MinJobAge=600
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={megabytes} Gres=gpu:fake:{gpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
"""


class Cluster:
    """Daemons that run until the end of `cluster`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        self.daemons: dict[str, subprocess.Popen] = {}

    def start(self, name: str, *options: str) -> None:
        """A daemon that ends with this process, however that ends."""
        with open(self.folder / f"{name}.log", "a") as log:
            command = ["setpriv", "--pdeathsig", "KILL", shutil.which(name), *options]
            self.daemons[name] = subprocess.Popen(command, env=os.environ | self.environment, stdout=log, stderr=log)

    def start_controller(self) -> None:
        self.start("slurmctld", "-D")

    def kill_controller(self) -> None:
        self.daemons["slurmctld"].kill()
        self.daemons["slurmctld"].wait()

    def run(self, *command: str) -> str:
        """What a command of SLURM's prints."""
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{' '.join(command)} gave {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def jobs(self, folder: Path, *options: str) -> list[str]:
        """Numbers of the batch jobs of a checkout that wait or run."""
        lines = self.run("squeue", "--noheader", "--format=%i %Z", *options).splitlines()
        return [line.split(" ", 1)[0] for line in lines if line.split(" ", 1)[1] == str(folder)]

    def log(self) -> str:
        return "".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("*.log")))


def until(is_so: Callable[[], object], seconds: float = 180, otherwise: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {seconds} s: {otherwise()}"
        time.sleep(0.1)


def missing() -> list[str]:
    """What a test with SLURM would need and this machine lacks."""
    lacking = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    return lacking + ([] if importlib.util.find_spec(PLUGIN) else [PLUGIN])


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """SLURM ready for jobs; skips the test where it is not installed or does not start. Nothing is left afterwards."""
    if lacking := missing():
        pytest.skip(f"no SLURM here (Debian: slurm-wlm; make .venv/slurm): {', '.join(lacking)} missing")
    started = Cluster(folder)
    _configure(folder)
    try:
        started.start("munged", "--foreground", "--force", f"--key-file={folder}/munge.key",
                      f"--socket={folder}/munge.socket", f"--pid-file={folder}/munge.pid",
                      f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed")  # fmt: skip
        try:
            until((folder / "munge.socket").exists, 60, otherwise=started.log)
            started.start_controller()
            started.start("slurmd", "-D")
            until(lambda: _is_idle(started), 60, otherwise=started.log)
        except AssertionError as error:  # of a system that does not let it: nothing of ours has run yet
            pytest.skip(f"SLURM does not start here: {error}")
        yield started
    finally:
        _stop(started)


def _configure(folder: Path) -> None:
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    host = socket.gethostname().partition(".")[0]
    with contextlib.ExitStack() as stack:
        listening = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        controller_port, node_port = (each.getsockname()[1] for each in listening)
    user = psutil.Process().username()
    text = CONFIGURATION.format(host=host, folder=folder, controller_port=controller_port, node_port=node_port,
                                user=user, cpus=CPUS, megabytes=MEGABYTES, gpus=len(GPUS))  # fmt: skip
    (folder / "slurm.conf").write_text(text)
    (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu Type=fake File={','.join(GPUS)}\n")
    # The node's daemon looks for control groups also where nothing uses them; the plugin for version 1 asks nothing of
    # the system before it is used, and newer versions can do without any.
    version = tuple(map(int, subprocess.check_output(["slurmd", "-V"], text=True).split()[1].split(".")[:2]))
    plugin = "disabled" if version >= (23, 11) else "cgroup/v1"
    (folder / "cgroup.conf").write_text(f"CgroupPlugin={plugin}\n")
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o600)
    # The executor (slurm-jobstep 0.6.1) takes SLURM_CONF from the srun that it starts on the node.
    srun = folder / "bin/srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)


def _is_idle(started: Cluster) -> bool:
    with contextlib.suppress(AssertionError):
        return started.run("sinfo", "--noheader", "--format=%t").splitlines()[0] == "idle"
    return False


def _stop(started: Cluster) -> None:
    for daemon in started.daemons.values():
        daemon.kill()
        daemon.wait()
    # A job's own keeper and its processes are no children of ours.
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("SLURM_CONF") == started.environment["SLURM_CONF"]:
                process.kill()
