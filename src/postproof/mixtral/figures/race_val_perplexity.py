"""Validation perplexity of the dense and the MoE decoder over cumulative training FLOPs, on the post's text with its
draws: the post's checkpoints as crosses, the same run made again as a line, other seeds thin, one standard deviation of
single runs as a band. Both arms have the same number of parameters to within 0.5 %: the MoE's experts together are as
wide as the dense block, and a token uses a quarter of them.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import plotting
from postproof.core import tables
from postproof.mixtral.figures import parameter_table, race_curves, rerun_marks

TABLES = ("mixtral/race_as_run", "mixtral/race_reruns", "mixtral/parameters")


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    race_file, reruns_file, parameters_file = args.tables
    race, parameters = race_curves.read(race_file), parameter_table.read(parameters_file)
    reruns = tables.read(reruns_file, "mixtral/race_reruns")
    plotting.style()
    figure, axes = plt.subplots(figsize=(7.2, 4.8))
    rerun_marks.spread(axes, race[race["protocol"] == "as_posted"], "cumulative_flops", "val_perplexity")
    rerun_marks.draw(axes, reruns, "cumulative_flops", "val_perplexity")
    axes.set(xlabel=race_curves.FLOPS_LABEL, ylabel="validation perplexity")
    axes.legend()
    figure.suptitle(
        f"Dense and MoE at equal training FLOPs, the post's text (thin: {race['seed'].nunique()} seeds; band: ± 1 sd)"
        f"\n{sizes(parameters)}",
        fontsize=10,
    )
    plotting.save(figure, args.out_svg, args.out_png)


def sizes(parameters: pd.DataFrame) -> str:
    """What "total parameters" means in the race, in a line."""
    all_terms = parameters.xs("all", level="term")
    dense, moe = all_terms.loc["race_dense"], all_terms.loc["race_moe"]
    held = f"{dense['total']:,.0f} dense, {moe['total']:,.0f} MoE"
    return f"parameters: {held}, of which {moe['active']:,.0f} work for a token"
