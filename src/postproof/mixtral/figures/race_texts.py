"""The race on two texts: the post's, and the plays that are this project's default. Validation perplexity over the
whole validation split, all seeds, their mean, and one standard deviation of single runs. The level is the text's; that
the MoE ends ahead at equal FLOPs is not.
"""

from __future__ import annotations

import matplotlib.pyplot as plt

from postproof.charts import plotting
from postproof.mixtral.figures import race_curves

TABLES = ("mixtral/race_as_run", "mixtral/race")
TITLES = ("the post's text: TinyStories", "another text, that of params.yaml: by default the plays")


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.4), sharey=True)
    for axes, file, title in zip(panels, args.tables, TITLES):
        table = race_curves.read(file)
        race_curves.draw(axes, table[table["protocol"] == "fixed_windows"], "cumulative_flops", "val_perplexity")
        axes.set(xlabel=race_curves.FLOPS_LABEL)
        axes.set_title(title, fontsize=10)
        axes.legend()
    panels[0].set(ylabel="validation perplexity")
    figure.suptitle(
        "Dense and MoE at equal training FLOPs on two texts (thin: single seeds; band: ± 1 sd)", fontsize=11
    )
    plotting.save(figure, args.out_svg, args.out_png)
