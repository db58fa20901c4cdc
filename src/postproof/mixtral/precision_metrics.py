"""Join the runs in two precisions into one tidy table, and say where each first chooses otherwise."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from postproof.core import files, tables


def add_arguments(parser) -> None:
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="CSV of every run that counts")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per arm, seed and step")
    parser.add_argument("--out-first", type=Path, required=True, help="CSV, the first choice of each run that differs")


def main(args) -> None:
    """Raises ArtefactError when a run is damaged."""
    table = pd.concat([files.read_csv(path) for path in args.runs], ignore_index=True)
    table = table.astype({"layer": "Int64", "token": "Int64"}).sort_values(["arm", "seed", "step"], ignore_index=True)
    columns = ["arm", "seed", "step", "train_loss_float32", "train_loss_float64", "choices", "differing"]
    tables.write(args.out, table[columns], "mixtral/router_precision")
    tables.write(args.out_first, first_differing(table), "mixtral/router_precision_first")


def first_differing(table: pd.DataFrame) -> pd.DataFrame:
    """Step, layer, token and margins of each run's first differing choice; no row for a run without one."""
    columns = ["arm", "seed", "step", "layer", "token", "margin_float32", "margin_float64"]
    return table.loc[table["differing"] > 0, columns].groupby(["arm", "seed"], as_index=False).first()
