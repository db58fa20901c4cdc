"""Files of single runs: {arm}-seed{seed}.csv, .safetensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from postproof.core import files
from postproof.core.errors import ArtefactError

if TYPE_CHECKING:
    import pandas


def read(path: Path, numbers: Sequence[str], variant: str = "") -> pandas.DataFrame:
    """The rows of the run {arm}{variant}-seed{seed}.csv, with columns arm, seed and at least `numbers`.

    Raises ArtefactError when the file is damaged, lacks a column or a number, or is not the run that its name says.
    """
    run = files.read_csv(path, ["arm"], ["seed", *numbers], words=["arm"])
    must_be_named(path, zip(run["arm"], run["seed"]), variant)
    return run


def must_be_named(path: Path, found: Iterable[tuple[str, int]], variant: str = "") -> None:
    """Raises ArtefactError unless the one arm and seed that the run's content states are those of its file's name."""
    names = sorted({f"{arm}{variant}-seed{seed}" for arm, seed in found})
    if names != [path.name.partition(".")[0]]:
        raise ArtefactError("run is not the one its name says", file=path, found=", ".join(names))
