"""Measure seconds, bytes and rates on this machine, and store them as data with their provenance.

    python -m postproof --mode fast measure --all --device cuda
    python -m postproof measure gemm_peak --machine my-laptop
    python -m postproof measure exception_cost --python /usr/bin/python3.13 --python /usr/bin/python3.10

A measurement is a module postproof/{post}/measuring/NAME.py with `measure(device, tiny)`; it is found, not registered.
It gives NAME/MACHINE.csv and, beside it, NAME/MACHINE.json: what was measured where, by what, when and how. They cannot
be made again on another machine, so a rebuild never touches them; a chart reads the folder of its measurement, whatever
the machines in it.
"""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.metadata
import inspect
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from postproof.core import devices, files
from postproof.core.errors import PostproofError, UsageError

PACKAGE = Path(__file__).parents[1]
OUT = "data/measured/{name}/{machine}.csv"
OUT_TINY = "build/measured-tiny/{name}/{machine}.csv"  # sizes of a smoke test say nothing: keep them out of data/
LIBRARIES = ("torch", "numpy", "pandas", "triton", "transformers")


def add_arguments(parser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(measurements())}")
    parser.add_argument("--all", action="store_true", help="every measurement")
    parser.add_argument("--device", choices=devices.CHOICES, default="cpu")
    parser.add_argument("--tiny", action="store_true", help="sizes for a smoke test")
    parser.add_argument("--machine", help="name of the machine; default: its accelerator, or its processor")
    parser.add_argument("--out", help=f"CSV; {{name}} and {{machine}} are filled in; default {OUT}, --tiny {OUT_TINY}")
    parser.add_argument("--python", action="append", default=[], metavar="PATH",
                        help="another CPython, for measurements that compare interpreters; several times")  # fmt: skip
    parser.add_argument("--commit", help="commit of the code, where there is no Git to ask")


def main(args) -> None:
    names = list(measurements()) if args.all else args.names
    if unknown := sorted(set(names) - set(measurements())):
        raise UsageError(f"no measurement '{unknown[0]}'", allowed=", ".join(measurements()))
    if not names:
        raise UsageError("nothing to measure", remedy="name measurements, or --all")
    if absent := [path for path in args.python if shutil.which(path) is None]:
        raise UsageError("no such interpreter", key="--python", value=absent[0], allowed="path of a CPython")
    device = devices.require(args.device, args.mode)
    machine = args.machine or machine_name(device)
    outs = {name: out_file(args.out or (OUT_TINY if args.tiny else OUT), name, machine) for name in names}

    failed = []
    for name, out in outs.items():
        try:
            one(name, device, args.tiny, out, provenance(device, machine, args.mode, args.commit), args.python)
        except Exception:  # the other measurements must not be lost: the device may be lent for this hour only
            traceback.print_exc()
            failed.append(name)
        _clean_up(device)
    if failed:
        raise PostproofError(f"{len(failed)} of {len(outs)} measurements failed", failed=", ".join(failed))


def out_file(template: str, name: str, machine: str) -> Path:
    """Where a measurement's table goes; its provenance goes beside it, with the suffix .json.

    Raises UsageError when the template or the machine's name would lose or misplace a table.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", machine):
        raise UsageError("not a machine's name", key="--machine", value=machine, allowed="letters, digits, . _ -")
    if not template.endswith("{machine}.csv") or "{name}" not in template:
        allowed = f"a path with {{name}} in it and {{machine}}.csv at its end, such as {OUT}"
        raise UsageError("not a place for measurements", key="--out", value=template, allowed=allowed)
    return Path(template.replace("{name}", name).replace("{machine}", machine))


def measurements() -> dict[str, str]:
    """Module of each measurement by its name: those that define `measure`, without importing any."""
    found = {}
    for path in sorted([*PACKAGE.glob("measuring/*.py"), *PACKAGE.glob("*/measuring/*.py")]):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        if any(isinstance(node, ast.FunctionDef) and node.name == "measure" for node in body):
            found[path.stem] = ".".join(["postproof", *path.relative_to(PACKAGE).with_suffix("").parts])
    return found


def one(name: str, device, tiny: bool, out: Path, made_by: dict, pythons: Sequence[str] = ()) -> None:
    """Takes one measurement and writes its table and its provenance. `pythons`: for one that compares interpreters."""
    print(f"measure {name} ...", file=sys.stderr, flush=True)
    module = importlib.import_module(measurements()[name])
    started, start = datetime.now(UTC), time.perf_counter()
    more = {"pythons": pythons} if "pythons" in inspect.signature(module.measure).parameters else {}
    table = _whole(module.measure(device, tiny, **more))
    wall_seconds = time.perf_counter() - start
    about = {
        "measurement": name,
        "what": " ".join((module.__doc__ or "").split()),
        "tiny": tiny,
        "date_utc": started.isoformat(timespec="seconds"),
        "wall_seconds": round(wall_seconds, 2),
        "rows": len(table),
        "rows_without_value": int((table["note"] != "").sum()),
        "repeats": int(table["repeats"].max()) if table["repeats"].notna().any() else None,
    }
    # Both are there before either takes its place: a full disk leaves the pair of an earlier day. Of one that was
    # killed between the two, the digest tells that they are not a pair.
    with files.atomic(out) as rows:
        files.write_csv(rows, table)
        files.write_json(out.with_suffix(".json"), about | {"table_sha256": files.sha256(rows)} | made_by)
    print(f"measure {name}: {len(table)} rows in {wall_seconds:.1f} s", file=sys.stderr)
    for note, count in table.loc[table["note"] != "", "note"].value_counts().items():
        print(f"  {count} rows without a value: {note}", file=sys.stderr, flush=True)


def provenance(device, machine: str, mode: str, commit: str | None) -> dict:
    """Machine, software and code. No host name, user or path: they are nobody's business and tell nothing."""
    import torch

    cuda = device.type == "cuda"
    properties = torch.cuda.get_device_properties(device) if cuda else None
    return {
        "machine": machine,
        "device": device.type,
        "device_name": properties.name if cuda else cpu_model(),
        "device_memory_bytes": properties.total_memory if cuda else None,
        "compute_capability": f"{properties.major}.{properties.minor}" if cuda else None,
        "driver": _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader") if cuda else None,
        "cuda": torch.version.cuda if cuda else None,
        "cpu_model": cpu_model(),
        "cpu_cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in LIBRARIES},
        "git_commit": commit or _output("git", "rev-parse", "HEAD"),
        "uncommitted_changes": None if commit else bool(_output("git", "status", "--porcelain", "--", "src")),
        "command": " ".join(["python -m postproof", *map(_without_folder, sys.argv[1:])]),
        "mode": mode,
    }


def cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*: (.+)$", text, flags=re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def machine_name(device) -> str:
    """A slug of the accelerator's name, or of the processor's: `nvidia-h100-80gb-hbm3`."""
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_model()
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", name.lower())).strip("-")


def _whole(table):
    """Counts and bytes as integers where rows are missing too: as floats they would be cut to nine digits."""
    for column in table.select_dtypes("number"):
        values = table[column].dropna()
        if len(values) and (values % 1 == 0).all():
            table[column] = table[column].astype("Int64")
    return table


def _without_folder(argument: str) -> str:
    """Where something lies on this machine tells nothing about the measurement."""
    return Path(argument).name if Path(argument).is_absolute() else argument


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def _output(*command: str) -> str | None:
    """First line that the command prints; None when it is not there, fails or prints nothing."""
    try:
        text = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return text.strip().partition("\n")[0] or None


def _clean_up(device) -> None:
    """Settings and memory as they were, so that one measurement does not colour the next."""
    import torch

    torch._dynamo.reset()
    torch.set_float32_matmul_precision("highest")
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
