"""The posted rows beside the runs of the same seed, text and draws, checkpoint by checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from postproof.core import files, tables
from postproof.core.errors import ArtefactError
from postproof.mixtral.race_metrics import at_equal_flops

# Columns of the posted tables, and what ours call them.
RACE = {
    "cumulative_flops": "cumulative_flops",
    "tokens_seen": "tokens_seen",
    "train_loss": "train_loss",
    "val_perplexity": "val_perplexity",
}
BALANCE = {
    "train_loss": "train_loss",
    "val_perplexity": "val_perplexity",
    "aux_loss": "aux_loss_last_step",
    "entropy": "entropy",
    "top1_share": "busiest_share",
}
COUNTED = ("cumulative_flops", "tokens_seen")


def add_arguments(parser) -> None:
    parser.add_argument("--posted", type=Path, nargs=2, required=True, help="posted tables of the race and the routers")
    parser.add_argument("--race", type=Path, required=True, help="table race_as_run")
    parser.add_argument("--balance", type=Path, required=True, help="table router_balance_as_run")
    parser.add_argument("--seeds", required=True, help="params section: seed of each posted run, as JSON")
    parser.add_argument("--out-race", type=Path, required=True, help="CSV, a row per posted checkpoint")
    parser.add_argument("--out-equal", type=Path, required=True, help="CSV, both posted arms at equal FLOPs")
    parser.add_argument("--out-balance", type=Path, required=True, help="CSV, a row per posted checkpoint")


def main(args) -> None:
    """Raises ArtefactError when a posted checkpoint has no rerun, or the other way round."""
    seeds = json.loads(args.seeds)
    race = tables.read(args.race, "mixtral/race").query("protocol == 'as_posted'")
    balance = tables.read(args.balance, "mixtral/router_balance")
    posted_race, posted_balance = args.posted
    race_posted = read_posted(posted_race, "model", RACE)
    race_rows = side_by_side(race_posted, race, seeds["race"], RACE)
    balance_rows = side_by_side(read_posted(posted_balance, "run", BALANCE), balance, seeds["router_balance"], BALANCE)
    tables.write(args.out_race, race_rows, "mixtral/race_reruns")
    tables.write(args.out_equal, at_equal_flops(race_posted), "mixtral/race_posted_equal_flops")
    tables.write(args.out_balance, balance_rows, "mixtral/router_balance_reruns")


def read_posted(path: Path, arm: str, columns: Mapping[str, str]) -> pd.DataFrame:
    """The posted table, its column of arms named and written as ours."""
    posted = files.read_csv(path, [arm, "step", *columns], ["step", *columns], words=[arm])
    return posted.assign(arm=posted[arm].str.lower())[["arm", "step", *columns]]


def side_by_side(posted: pd.DataFrame, ours: pd.DataFrame, seed: int, columns: Mapping[str, str]) -> pd.DataFrame:
    """A row per posted checkpoint: of each number the post's, the rerun's and, unless counted, what they differ by,
    (rerun - posted) / posted.

    Raises ArtefactError unless both have the same checkpoints.
    """
    rerun = ours.loc[ours["seed"] == seed, ["arm", "step", *columns.values()]]
    rerun = rerun.rename(columns={own: name for name, own in columns.items()})
    both = posted.merge(rerun, on=["arm", "step"], how="outer", suffixes=("_posted", "_rerun"), validate="1:1")
    if both.isna().any(axis=None):
        raise ArtefactError("posted and rerun checkpoints are not the same", seed=seed,
                            remedy="the budgets and steps in params.yaml are not the posted ones")  # fmt: skip
    kept = ["arm", "step"]
    for name in columns:
        kept += [f"{name}_posted", f"{name}_rerun"]
        if name not in COUNTED:
            kept.append(f"{name}_difference")
            both[kept[-1]] = both[f"{name}_rerun"] / both[f"{name}_posted"] - 1
    return both[kept]
