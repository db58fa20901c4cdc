"""Which device a job runs on. A device that is not there is an answer, not an exception, until someone insists."""

from __future__ import annotations

import dataclasses

import torch

from postproof.core.errors import DeviceError

CHOICES = ("cpu", "cuda", "auto")


@dataclasses.dataclass(frozen=True)
class Unavailable:
    """Why a device cannot be used here."""

    device: str
    reason: str


def find(name: str) -> torch.device | Unavailable:
    """The device called `name`; `auto` is a GPU when there is one, else the CPU."""
    if name == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if name == "auto":
        return torch.device("cpu")
    if torch.version.cuda is None:
        return Unavailable(name, f"torch {torch.__version__} was built without CUDA")
    return Unavailable(name, "torch sees no CUDA device")


def require(name: str, mode: str) -> torch.device:
    """The device for a job.

    Raises DeviceError when it is not there, or is a GPU in exact mode, whose promise holds on CPUs only.
    """
    if mode == "exact" and name != "cpu":
        raise DeviceError(
            "exact mode runs on the CPU only",
            device=name,
            allowed="cpu",
            remedy="for other devices: snakemake --cores --config mode=fast device=" + name,
        )
    device = find(name)
    if isinstance(device, Unavailable):
        raise DeviceError(
            f"device {name} is not available: {device.reason}",
            device=name,
            remedy="set `device: cpu` (or auto) in params.yaml, or install a CUDA build of the pinned torch",
        )
    return device
