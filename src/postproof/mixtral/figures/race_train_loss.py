"""Training loss of the batch at each checkpoint over cumulative training FLOPs, dense against MoE: all seeds, their
mean, and one standard deviation of single runs.
"""

from __future__ import annotations

import matplotlib.pyplot as plt

from postproof.charts import plotting
from postproof.mixtral.figures import race_curves

TABLES = ("mixtral/race",)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = race_curves.read(*args.tables)
    plotting.style()
    figure, axes = plt.subplots(figsize=(6.4, 4.4))
    # The training loss is the same under both validation protocols.
    race_curves.draw(axes, table[table["protocol"] == "as_posted"], "cumulative_flops", "train_loss")
    axes.set(xlabel=race_curves.FLOPS_LABEL, ylabel="training loss of the step's batch (nats per character)")
    axes.set_title("Training loss at each checkpoint (thin: single seeds; band: ± 1 sd)", fontsize=10)
    axes.legend()
    plotting.save(figure, args.out_svg, args.out_png)
