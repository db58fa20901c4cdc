"""Exact mode: the same bytes on any x86-64 processor with AVX2 and FMA (2013 and later).

Floating-point sums depend on the order of their terms, and BLAS libraries choose that order by processor. Four
dispatchers have to be held still:

- ATen's own kernels (softmax, layer norm, activations, optimiser): `ATEN_CPU_CAPABILITY`.
- NumPy's loops: `NPY_DISABLE_CPU_FEATURES`.
- Matrix products. torch hands float32 products to MKL, whose only processor-independent path
  (`MKL_CBWR=COMPATIBLE`) is SSE2 code, 2 to 3 times slower; its AVX2 path is not honoured on AMD. OpenBLAS, which
  NumPy carries, can be told which kernels to use (`OPENBLAS_CORETYPE`), AVX2 ones included. So in exact mode
  `matmul` goes through NumPy, on the same memory and without a copy.
- oneDNN: `ONEDNN_MAX_CPU_ISA`. ATen asks it how to lay out bfloat16 for the fused attention; unpinned, on a processor
  with AMX, it answers with a layout that ATen's AVX2 kernel does not have (RuntimeError).

MKL stays pinned as well, since ATen uses its vector functions. Each job is one thread: splitting a sum over threads
changes it. Parallelism comes from jobs side by side.

On x86-64 without AVX2 these kernels are illegal instructions, from the import of NumPy on: refused in words before.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path

from postproof.core.errors import EngineError

ENVIRONMENT = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Haswell",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
# What the kernels above are made of, as CPUID tells it: glibc's number of the leaf, the register from EAX on, the bit.
NEEDED = {"AVX2": (1, 1, 5), "FMA": (0, 2, 12)}


class _Leaf(ctypes.Structure):
    """`cpuid_feature` of glibc's <sys/platform/x86.h>: the registers, as there and as usable."""

    _fields_ = [("cpuid", ctypes.c_uint * 4), ("active", ctypes.c_uint * 4)]


def pin() -> None:
    """Fixes kernels and threads of this process and its children. Call it before NumPy or torch is imported.

    Raises EngineError when one of them was imported under another setting: it would be too late; and on a processor
    that has not these kernels.
    """
    check_processor()
    if all(os.environ.get(name) == value for name, value in ENVIRONMENT.items()):
        return
    loaded = sorted({"numpy", "torch"} & sys.modules.keys())
    if loaded:
        raise EngineError(
            "exact mode was asked for after a numerical library had been loaded",
            loaded=", ".join(loaded),
            remedy="call postproof.core.exact.pin() first, or run the command as `python -m postproof ...`",
        )
    os.environ.update(ENVIRONMENT)


def check_processor() -> None:
    """Raises EngineError on x86-64 without AVX2 and FMA.

    Other architectures have kernels of their own, and come out within tolerance.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return
    missing = [name for name in NEEDED if not _has(name)]
    if missing:
        raise EngineError(
            "exact mode needs a processor with AVX2 and FMA (2013 and later)",
            missing=", ".join(missing),
            remedy="run `snakemake --cores --config mode=fast`, which takes what there is and writes results-fast/; "
            "one command: `postproof --mode fast COMMAND`",
        )


def _has(feature: str) -> bool:
    """Not asked of NumPy: its import is what would fail. What nobody knows is taken for there."""
    leaf, register, bit = NEEDED[feature]
    try:
        ask = ctypes.CDLL(None).__x86_get_cpuid_feature_leaf  # glibc 2.33
    except (AttributeError, OSError, TypeError):
        try:
            flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\nflags")[2].partition("\n")[0].split()
        except OSError:
            return True
        return not flags or feature.lower() in flags
    ask.argtypes, ask.restype = [ctypes.c_uint], ctypes.POINTER(_Leaf)
    return bool(ask(leaf).contents.active[register] >> bit & 1)


def pinned() -> bool:
    """Whether this process was started in, or put into, exact mode."""
    return all(os.environ.get(name) == value for name, value in ENVIRONMENT.items())
