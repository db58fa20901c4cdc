"""Chart: validation perplexity over cumulative FLOPs, dense against MoE, under both validation protocols."""

from __future__ import annotations

import matplotlib.pyplot as plt

from postproof import plotting
from postproof.mixtral.figures import race_curves

PANELS = {
    "as_posted": "as posted: validation batches drawn anew at each checkpoint",
    "fixed_windows": "fixed windows: the whole validation split each time",
}
add_arguments = plotting.add_figure_arguments


def main(args) -> None:
    table = race_curves.read(args.table)
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True)
    for axes, (protocol, title) in zip(panels, PANELS.items()):
        race_curves.draw(axes, table[table["protocol"] == protocol], "cumulative_flops", "val_perplexity")
        axes.set(xlabel=race_curves.FLOPS_LABEL)
        axes.set_title(title, fontsize=10)
    panels[0].set(ylabel="validation perplexity")
    panels[0].legend()
    figure.suptitle(
        "Dense and MoE at equal training FLOPs (thin: single seeds; band: ± 1 standard deviation)", fontsize=11
    )
    plotting.save(figure, args.out_svg, args.out_png)
