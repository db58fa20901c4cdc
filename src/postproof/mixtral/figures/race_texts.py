"""The race on two texts: the post's, and the plays that are this project's default. Validation perplexity over the
whole validation split, all seeds, their mean, and one standard deviation of single runs; the post's checkpoints, which
it validated on windows drawn anew, as crosses. The level is the text's; that the MoE ends ahead at equal FLOPs is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import plotting
from postproof.charts.plotting import percent
from postproof.core import tables
from postproof.mixtral.figures import race_curves, rerun_marks

TABLES = ("mixtral/race_as_run", "mixtral/race", "mixtral/posted_race")
TITLES = ("the post's text: TinyStories", "the text of params.yaml")


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    races = [race_curves.read(file).query("protocol == 'fixed_windows'") for file in args.tables[:2]]
    posted = tables.read(args.tables[2], TABLES[2])
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(plotting.COLUMN, 4.6), sharey=True)
    for axes, race, title in zip(panels, races, TITLES):
        ends = race_curves.draw(axes, race, "cumulative_flops", "val_perplexity")
        rerun_marks.in_powers(axes, race_curves.FLOPS_LABEL, race["cumulative_flops"].max())
        axes.set_title(f"{title}, {rerun_marks.of_seeds(race['seed'].nunique())}", fontsize=10)
    rerun_marks.posted(panels[0], posted["cumulative_flops"], posted["val_perplexity"])
    panels[0].legend(handles=[rerun_marks.posted_handle()])
    panels[0].set(ylabel="validation perplexity")
    plotting.name_ends(panels[1], ends)
    plotting.headed(
        figure,
        says(races),
        "Validation perplexity on the whole split (the post: on windows drawn anew). Lines: mean; thin lines "
        "and bands: single seeds, ± 1 sd of single runs.",
        plotting.source(TABLES, "Both texts with the post's two models."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(races: Sequence[pd.DataFrame]) -> str:
    """By how much the MoE ends below the dense model, in the mean over the seeds, on each text."""
    ends = [race.groupby(["seed", "arm"])["val_perplexity"].last().groupby("arm").mean() for race in races]
    lower = [1 - end["moe"] / end["dense"] for end in ends]
    if min(lower) > 0:
        return (
            f"At the last checkpoints the MoE is ahead on both texts: {percent(lower[0])} below the dense model in "
            f"perplexity on the post's, "
            f"{percent(lower[1])} on that of params.yaml"
        )
    sides = [f"{percent(abs(share))} {'below' if share > 0 else 'above'}" for share in lower]
    return (
        f"At the last checkpoints the MoE is {sides[0]} the dense model on the post's text, and {sides[1]} it on that "
        "of params.yaml"
    )
