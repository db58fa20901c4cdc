"""Join the runs of the race into one tidy table: a row per arm, seed, protocol and checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from postproof import files, runs
from postproof.errors import ArtefactError

PROTOCOLS = ("as_posted", "fixed_windows")
RUN_COLUMNS = ["arm", "seed", "step", "cumulative_flops", "tokens_seen", "train_loss"]
LOSSES = [f"val_loss_{protocol}" for protocol in PROTOCOLS]


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
    for path in paths:
        run = files.read_csv(path, ["arm"], numbers=[*RUN_COLUMNS[1:], *LOSSES])
        stems = {f"{arm}-seed{seed}" for arm, seed in zip(run["arm"], run["seed"])}
        if stems != {path.stem}:
            raise ArtefactError("run is not the one its name says", file=path, found=", ".join(sorted(stems)))
        worst = run[LOSSES].max(axis=None)
        if worst > np.log(np.finfo(np.float64).max):
            raise ArtefactError(
                "run diverged: its perplexity is beyond any number",
                file=path,
                val_loss=worst,
                remedy="lower mixtral.race.training.learning_rate in params.yaml",
            )
        for protocol, loss in zip(PROTOCOLS, LOSSES):
            parts.append(run[RUN_COLUMNS].assign(protocol=protocol, val_loss=run[loss]))
    table = pd.concat(parts).assign(val_perplexity=lambda table: np.exp(table["val_loss"]))
    columns = ["arm", "seed", "protocol", *RUN_COLUMNS[2:], "val_loss", "val_perplexity"]
    return table[columns].sort_values(["arm", "seed", "protocol", "step"], ignore_index=True)
