"""The same perplexity curves (fixed windows) against three axes: training FLOPs, optimiser steps, tokens seen. The
dotted line is the largest value that both arms reached; the title says who is ahead there. Who wins depends on what is
held equal.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.mixtral.figures import race_curves
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/race", "mixtral/race_matched_axes")
PROTOCOL = "fixed_windows"
AXES = {"cumulative_flops": race_curves.FLOPS_LABEL, "step": "optimiser steps", "tokens_seen": "tokens seen"}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    race_file, ahead_file = args.tables
    table, gaps = race_curves.read(race_file), read_gaps(ahead_file)
    table = table[table["protocol"] == PROTOCOL]
    plotting.style()
    figure, panels = plt.subplots(1, 3, figsize=(13, 4.4), sharey=True)
    for axes, (x, label) in zip(panels, AXES.items()):
        race_curves.draw(axes, table, x, "val_perplexity")
        gap = gaps[x]
        ahead = LOOKS["moe" if gap > 0 else "dense"].short
        axes.axvline(common_end(table, x), color=palette.BLACK, linewidth=0.8, linestyle=":")
        axes.set(xlabel=label)
        axes.set_title(f"held equal: {label}\n{ahead} ahead by {abs(gap):.2f} at the dotted line", fontsize=10)
    panels[0].set(ylabel="validation perplexity (fixed windows)")
    panels[0].legend(fontsize=9)
    plotting.save(figure, args.out_svg, args.out_png)


def read_gaps(path: Path) -> pd.Series:
    """Dense minus MoE in perplexity, by what is held equal.

    Raises ArtefactError when the table is not of its schema, or breaks an identity.
    """
    table = tables.read(path, "mixtral/race_matched_axes")
    difference = table["dense_val_perplexity"] - table["moe_val_perplexity"]
    of_protocol = table[table["protocol"] == PROTOCOL].set_index("held_equal")["gap"]
    identities = {
        "gap is dense minus MoE": np.allclose(table["gap"], difference, atol=1e-5),
        "each axis stands once": sorted(of_protocol.index) == sorted(AXES),
    }
    tables.must_hold(path, identities)
    return of_protocol


def common_end(table: pd.DataFrame, x: str) -> float:
    """The largest x that both arms reached."""
    return table.groupby("arm")[x].max().min()
