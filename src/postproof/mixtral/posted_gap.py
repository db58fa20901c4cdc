"""How far apart the two posted runs of the race are where both have used as much compute, as the sweep over budgets
has it: in nats, and as a share of perplexity.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import tables
from postproof.mixtral import reruns
from postproof.mixtral.race_metrics import at_equal_flops


def add_arguments(parser) -> None:
    parser.add_argument("--posted", type=Path, required=True, help="posted table of the race")
    parser.add_argument("--out", type=Path, required=True, help="CSV, a row per point of equal FLOPs")


def main(args) -> None:
    posted = reruns.read_posted(args.posted, "model", reruns.RACE)
    tables.write(args.out, gaps(at_equal_flops(posted)), "mixtral/race_posted_gap")


def gaps(equal: pd.DataFrame) -> pd.DataFrame:
    """The dense model's loss minus the MoE's; losses are logarithms of perplexities."""
    gap = np.log(equal["dense_val_perplexity"] / equal["moe_val_perplexity"])
    return pd.DataFrame(
        {"cumulative_flops": equal["cumulative_flops"], "gap_nats": gap, "perplexity_reduction": 1 - np.exp(-gap)}
    )
