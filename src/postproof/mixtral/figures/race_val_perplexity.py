"""Validation perplexity of the dense and the MoE decoder over cumulative training FLOPs: all seeds, their mean, and one
standard deviation of single runs. Left as posted, with validation batches drawn anew at each checkpoint; right with the
whole validation split each time. Both arms have the same number of parameters to within 0.5 %: the MoE's experts
together are as wide as the dense block, and a token uses a quarter of them.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import plotting
from postproof.mixtral.figures import parameter_table, race_curves

TABLES = ("mixtral/race", "mixtral/parameters")
PANELS = {
    "as_posted": "as posted: validation batches drawn anew at each checkpoint",
    "fixed_windows": "fixed windows: the whole validation split each time",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    race_file, parameters_file = args.tables
    table, parameters = race_curves.read(race_file), parameter_table.read(parameters_file)
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True)
    for axes, (protocol, title) in zip(panels, PANELS.items()):
        race_curves.draw(axes, table[table["protocol"] == protocol], "cumulative_flops", "val_perplexity")
        axes.set(xlabel=race_curves.FLOPS_LABEL)
        axes.set_title(title, fontsize=10)
    panels[0].set(ylabel="validation perplexity")
    panels[0].legend()
    figure.suptitle(
        f"Dense and MoE at equal training FLOPs (thin: single seeds; band: ± 1 sd)\n{sizes(parameters)}",
        fontsize=11,
    )
    plotting.save(figure, args.out_svg, args.out_png)


def sizes(parameters: pd.DataFrame) -> str:
    """What "total parameters" means in the race, in a line."""
    all_terms = parameters.xs("all", level="term")
    dense, moe = all_terms.loc["race_dense"], all_terms.loc["race_moe"]
    held = f"{dense['total']:,.0f} dense, {moe['total']:,.0f} MoE"
    return f"parameters: {held}, of which {moe['active']:,.0f} work for a token"
