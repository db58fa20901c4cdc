"""Join the runs of the race into one tidy table, and say which arm is ahead when something else is held equal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import runs, tables
from postproof.core.errors import ArtefactError

RUN_COLUMNS = ["arm", "seed", "step", "cumulative_flops", "tokens_seen", "train_loss"]
LOSS = "val_loss_"  # and the protocol of the validation
AXES = ("cumulative_flops", "step", "tokens_seen")  # what can be held equal


def add_arguments(parser) -> None:
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="CSV of every run that counts")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per arm, seed, protocol, checkpoint")
    parser.add_argument("--out-equal", type=Path, required=True, help="CSV, both arms at equal training FLOPs")
    parser.add_argument("--out-axes", type=Path, required=True, help="CSV, a row per protocol and what is held equal")


def main(args) -> None:
    race = tidy(args.runs)
    tables.write(args.out, race, "mixtral/race")
    tables.write(args.out_equal, of_each_run(race), "mixtral/race_equal_flops")
    tables.write(args.out_axes, matched_axes(race), "mixtral/race_matched_axes")


def tidy(paths: Sequence[Path]) -> pd.DataFrame:
    """A row per arm, seed, protocol and step, in this order. Perplexity is exp(mean loss).

    Raises ArtefactError when a run is damaged or diverged, or its arm and seed are not those of its file name.
    """
    parts = []
    for path in paths:
        run = runs.read(path, [*RUN_COLUMNS[2:], f"{LOSS}fixed_windows"])
        losses = run.filter(like=LOSS)
        worst = losses.max(axis=None)
        if worst > np.log(np.finfo(np.float64).max):
            raise ArtefactError(
                "run diverged: its perplexity is beyond any number",
                file=path,
                val_loss=worst,
                remedy="lower mixtral.optimiser.learning_rate in params.yaml",
            )
        for name, loss in losses.items():
            parts.append(run[RUN_COLUMNS].assign(protocol=name.removeprefix(LOSS), val_loss=loss))
    table = pd.concat(parts).assign(val_perplexity=lambda table: np.exp(table["val_loss"]))
    columns = ["arm", "seed", "protocol", *RUN_COLUMNS[2:], "val_loss", "val_perplexity"]
    return table[columns].sort_values(["arm", "seed", "protocol", "step"], ignore_index=True)


def of_each_run(race: pd.DataFrame) -> pd.DataFrame:
    """`at_equal_flops` of each protocol and seed."""
    runs = race.groupby(["protocol", "seed"])
    return pd.concat([at_equal_flops(run).assign(protocol=protocol, seed=seed) for (protocol, seed), run in runs])[
        ["protocol", "seed", "cumulative_flops", *(f"{arm}_val_perplexity" for arm in ("dense", "moe"))]
    ]


def at_equal_flops(run: pd.DataFrame) -> pd.DataFrame:
    """Both arms at every checkpoint of either that lies within the range of both; linear between checkpoints.

    `run` has one row per arm and checkpoint: arm, cumulative_flops, val_perplexity.
    """
    curves = {arm: rows.set_index("cumulative_flops")["val_perplexity"] for arm, rows in run.groupby("arm")}
    start, end = (
        max(curve.index.min() for curve in curves.values()),
        min(curve.index.max() for curve in curves.values()),
    )
    flops = sorted({at for curve in curves.values() for at in curve.index if start <= at <= end})
    values = {f"{arm}_val_perplexity": np.interp(flops, curve.index, curve) for arm, curve in curves.items()}
    return pd.DataFrame({"cumulative_flops": flops} | values)


def matched_axes(race: pd.DataFrame) -> pd.DataFrame:
    """Both arms' mean perplexities where each has gone as far as the other, by what is held equal.

    That is at the largest value of the axis that both arms reached; between checkpoints the mean curves are linear.
    """
    rows = []
    for protocol, of_protocol in race.groupby("protocol"):
        for axis in AXES:
            curves = {
                arm: runs_of_arm.groupby(axis)["val_perplexity"].mean()
                for arm, runs_of_arm in of_protocol.groupby("arm")
            }
            end = min(curve.index.max() for curve in curves.values())
            at_end = {arm: float(np.interp(end, curve.index, curve)) for arm, curve in curves.items()}
            rows.append(
                {
                    "protocol": protocol,
                    "held_equal": axis,
                    "dense_val_perplexity": at_end["dense"],
                    "moe_val_perplexity": at_end["moe"],
                    "gap": at_end["dense"] - at_end["moe"],
                }
            )
    return pd.DataFrame(rows)
