"""The experts that a trained model chose for a text, token by token, as train_router_balance leaves them.

Shapes: S sequences (consecutive windows of the text), T time, L layers, K slots (likeliest expert first).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from postproof.core import files, runs
from postproof.core.errors import ArtefactError

TENSOR = "served_STLK"


@dataclasses.dataclass(frozen=True)
class ServedRouting:
    arm: str
    seed: int
    experts: int
    d_model: int
    ids_STLK: np.ndarray


def read(path: Path) -> ServedRouting:
    """One run's choices.

    Raises ArtefactError when the file is damaged, is not the run that its name says, or holds an expert that is not
    there or that a token has twice.
    """
    tensors, about = files.load_tensors(path)
    try:
        run = ServedRouting(about["arm"], about["seed"], about["experts"], about["d_model"], tensors[TENSOR].numpy())
    except (KeyError, TypeError) as error:
        raise ArtefactError("not a routing file", file=path, needed=f"{TENSOR}; arm, seed, experts, d_model") from error
    for key in ("seed", "experts", "d_model"):
        if type(value := getattr(run, key)) is not int:
            raise ArtefactError("not a routing file", file=path, key=key, value=value, allowed="an integer")
    runs.must_be_named(path, [(run.arm, run.seed)])
    ids = run.ids_STLK
    if ids.dtype != np.uint8 or ids.ndim != 4 or ids.size == 0:
        raise ArtefactError(
            "choices have another form", file=path, value=f"{ids.dtype} {ids.shape}", allowed="uint8, 4D"
        )
    if ids.max() >= run.experts:
        raise ArtefactError("no such expert", file=path, value=ids.max(), allowed=f"0 to {run.experts - 1}")
    if (np.diff(np.sort(ids, axis=-1), axis=-1) == 0).any():
        raise ArtefactError("a token has the same expert in two slots", file=path)
    return run


def read_all(paths: Sequence[Path]) -> list[ServedRouting]:
    """All runs, by arm and seed.

    Raises ArtefactError as `read` does, and when a run is given twice or two differ in size.
    """
    found = sorted((read(path) for path in paths), key=lambda run: (run.arm, run.seed))
    for one, next_one in zip(found, found[1:]):
        if (one.arm, one.seed) == (next_one.arm, next_one.seed):
            raise ArtefactError("run is given twice", run=f"{one.arm}-seed{one.seed}", remedy="name each file once")
    sizes = {(run.experts, run.d_model, run.ids_STLK.shape) for run in found}
    if len(sizes) > 1:
        several = "; ".join(f"{experts} experts, width {width}, {shape}" for experts, width, shape in sorted(sizes))
        raise ArtefactError("runs differ in size", found=several, remedy="make the stale ones again")
    return found
