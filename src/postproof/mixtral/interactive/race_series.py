"""What the twins of the race and of the router balance share: the post's run made again, the post, and other seeds."""

from __future__ import annotations

import pandas as pd

from postproof.charts.palette import POSTED
from postproof.interactive.twin import Series
from postproof.mixtral.looks import LOOKS


def of_reruns(reruns: pd.DataFrame, table: str, x: str, y: str) -> list[Series]:
    """Per arm the rerun and the post's checkpoints. `x` may be `step`."""
    found = []
    for arm, rows in reruns.groupby("arm", sort=False):
        at = {source: x if x == "step" else f"{x}_{source}" for source in ("rerun", "posted")}
        name = LOOKS[arm].long
        found.append(Series(f"{name}, made again", LOOKS[arm], table, rows, at["rerun"], f"{y}_rerun",
                            beside=f"{y}_posted"))  # fmt: skip
        found.append(Series(f"{POSTED.long}: {name}", POSTED, table, rows, at["posted"], f"{y}_posted"))
    return found


def of_runs(runs: pd.DataFrame, table: str, x: str, y: str) -> list[Series]:
    """Per arm all seeds, thin."""
    return [
        Series(f"{LOOKS[arm].long}, all seeds", LOOKS[arm], table, rows, x, y, run="seed", thin=True)
        for arm, rows in runs.groupby("arm", sort=True)
    ]
