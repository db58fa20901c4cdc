"""What the charts of the race share: the table, and one curve per arm with its seeds behind it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.core import tables
from postproof.mixtral.figures import rerun_marks
from postproof.mixtral.looks import LOOKS

FLOPS_LABEL = "cumulative training FLOPs"


def read(path: Path) -> pd.DataFrame:
    """The metrics table, after a look at the identities that the charts rest on.

    Raises ArtefactError when the table is not of its schema, or an identity does not hold.
    """
    table = tables.read(path, "mixtral/race")
    flops_per_step = (table["cumulative_flops"] / table["step"]).groupby(table["arm"]).nunique()
    identities = {
        "perplexity is exp(loss)": np.allclose(np.exp(table["val_loss"]), table["val_perplexity"], rtol=1e-6),
        "each step of an arm has the same FLOPs": (flops_per_step == 1).all(),
    }
    tables.must_hold(path, identities)
    return table


def draw(axes: Axes, table: pd.DataFrame, x: str, y: str) -> list[tuple[float, float, str, str]]:
    """Per arm: every seed as a thin line, their mean with markers, a band of one standard deviation of single runs.

    Returns where the means end, and their names, as plotting.name_ends takes them.
    """
    ends = []
    for arm, mean in rerun_marks.spread(axes, table, x, y).items():
        look = LOOKS[arm]
        axes.plot(mean.index, mean, color=look.colour, marker=look.marker, markersize=4, linewidth=1.8)
        ends.append((mean.index[-1], mean.iloc[-1], look.long, look.colour))
    return ends
