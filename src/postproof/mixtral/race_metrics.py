"""Join the runs of the race into one tidy table: a row per arm, seed, protocol and checkpoint."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from postproof import files, runs
from postproof.errors import ArtefactError

PROTOCOLS = ("as_posted", "fixed_windows")
RUN_COLUMNS = ["arm", "seed", "step", "cumulative_flops", "tokens_seen", "train_loss"]


def add_arguments(parser) -> None:
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="CSV of every run that counts")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV")


def main(args) -> None:
    files.write_csv(args.out, tidy(args.runs))
    runs.remove_others(args.runs)


def tidy(paths: Sequence[Path]) -> pd.DataFrame:
    """Columns: arm, seed, protocol, step, cumulative_flops, tokens_seen, train_loss, val_loss (nats), val_perplexity.

    Perplexity is exp(mean loss). Rows are ordered by arm, seed, protocol, step. Raises ArtefactError when a run is
    damaged, or its arm and seed are not those of its file name.
    """
    parts = []
    for path, protocol in itertools.product(paths, PROTOCOLS):
        run = files.read_csv(path, [*RUN_COLUMNS, f"val_loss_{protocol}"])
        stems = {f"{arm}-seed{seed}" for arm, seed in zip(run["arm"], run["seed"])}
        if stems != {path.stem}:
            raise ArtefactError("run is not the one its name says", file=path, found=", ".join(sorted(stems)))
        part = run[RUN_COLUMNS].assign(protocol=protocol, val_loss=run[f"val_loss_{protocol}"])
        if not np.isfinite(part[["train_loss", "val_loss"]]).all(axis=None):
            raise ArtefactError(
                "run holds a loss that is not a finite number", file=path, column=f"val_loss_{protocol}"
            )
        parts.append(part)
    table = pd.concat(parts).assign(val_perplexity=lambda table: np.exp(table["val_loss"]))
    columns = ["arm", "seed", "protocol", *RUN_COLUMNS[2:], "val_loss", "val_perplexity"]
    return table[columns].sort_values(["arm", "seed", "protocol", "step"], ignore_index=True)
