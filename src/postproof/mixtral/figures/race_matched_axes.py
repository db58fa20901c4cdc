"""The same perplexity curves against three axes: training FLOPs, optimiser steps, and the seconds that the post's
author measured. Tokens seen are steps times the tokens of a batch, so they have no panel. Crosses: the post; lines:
mean of all seeds on the post's text with its draws; the dotted line is the largest value that both arms reached. Who
wins depends on what is held equal.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.mixtral.figures import race_curves, rerun_marks
from postproof.mixtral.figures.rerun_marks import fixed
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/race_as_run", "mixtral/race_as_run_matched_axes", "mixtral/posted_race")
PROTOCOL = "as_posted"
AXES = {"cumulative_flops": race_curves.FLOPS_LABEL, "step": "optimiser steps", "tokens_seen": "tokens seen"}
PANELS = {"cumulative_flops": "compute", "step": "steps and tokens", "wall_seconds": "time (the author's)"}
ARMS = {"Dense": "dense", "MoE": "moe"}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    race_file, ahead_file, posted_file = args.tables
    table, gaps = race_curves.read(race_file), read_gaps(ahead_file)
    posted = tables.read(posted_file, TABLES[2])
    table = table[table["protocol"] == PROTOCOL]
    plotting.style()
    figure, panels = plt.subplots(1, 3, figsize=(plotting.COLUMN, 4.6), sharey=True)
    for axes, (x, held) in zip(panels, PANELS.items()):
        if x == "wall_seconds":
            for model, run in posted.groupby("model"):
                axes.plot(run[x], run["val_perplexity"], color=LOOKS[ARMS[model]].colour, linewidth=1)
            axes.set(xscale="log", xlabel="wall seconds (log)")
            axes.xaxis.set(major_formatter="{x:g}", minor_formatter=NullFormatter())
        else:
            race_curves.draw(axes, table, x, "val_perplexity")
            axes.axvline(common_end(table, x), color=palette.BLACK, linewidth=0.8, linestyle=":")
        rerun_marks.posted(axes, posted[x], posted["val_perplexity"])
        axes.set_title(f"equal {held}", fontsize=9)
    rerun_marks.in_powers(panels[0], "training FLOPs", table["cumulative_flops"].max())
    panels[1].set(xlabel=AXES["step"])
    panels[0].set(ylabel="validation perplexity")
    for arm in sorted(table["arm"].unique()):
        panels[1].plot([], [], color=LOOKS[arm].colour, marker=LOOKS[arm].marker, label=LOOKS[arm].long)
    handles = [*panels[1].get_legend_handles_labels()[0], rerun_marks.posted_handle()]
    panels[1].legend(handles=handles, fontsize=plotting.SMALL_POINTS, loc="upper right", frameon=True, framealpha=1,
                     edgecolor=palette.WHITE)  # fmt: skip
    plotting.headed(
        figure,
        says(gaps, posted),
        "Validation perplexity on windows drawn anew. Lines: mean; thin lines and bands: "
        f"{rerun_marks.of_seeds(table['seed'].nunique())}, ± 1 sd of single runs. Dotted: where both arms have been. "
        "Right: only the post's runs.",
        plotting.source(TABLES, "The post's text (TinyStories) and draws."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(gaps: pd.Series, posted: pd.DataFrame) -> str:
    """Who is ahead at equal FLOPs, at equal steps, and when the author's dense model was done."""
    flops, steps = gaps["cumulative_flops"], gaps["step"]
    of = {axis: "the MoE" if gap > 0 else "the dense model" for axis, gap in gaps.items()}
    seen = f"At equal compute {of['cumulative_flops']} is ahead by {fixed(abs(flops), 1)} perplexity, at equal steps "
    seen += "" if of["step"] == of["cumulative_flops"] else f"{of['step']} "
    seen += f"by {fixed(abs(steps), 1)}"
    done, first = (posted[posted["model"] == model]["wall_seconds"] for model in ("Dense", "MoE"))
    if done.max() < first.min():
        return f"{seen}; the post's dense run was done in {fixed(done.max(), 1)} s, before the MoE's first checkpoint"
    return f"{seen}; the post's dense run was done in {fixed(done.max(), 1)} s, its MoE in {fixed(first.max(), 1)} s"


def read_gaps(path: Path) -> pd.Series:
    """Dense minus MoE in perplexity, by what is held equal.

    Raises ArtefactError when the table is not of its schema, or breaks an identity.
    """
    table = tables.read(path, "mixtral/race_as_run_matched_axes")
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
