"""Training loss of the batch at each checkpoint over cumulative training FLOPs, dense against MoE, on the post's text
with its draws: the post's checkpoints as crosses, the same run made again as a line, other seeds thin, one standard
deviation of single runs as a band.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import plotting
from postproof.core import tables
from postproof.mixtral.figures import race_curves, rerun_marks
from postproof.mixtral.figures.rerun_marks import fixed

TABLES = ("mixtral/race_as_run", "mixtral/race_reruns")


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    race_file, reruns_file = args.tables
    # The training loss is the same under both validation protocols.
    race = race_curves.read(race_file).query("protocol == 'as_posted'")
    reruns = tables.read(reruns_file, "mixtral/race_reruns")
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 4.8))
    rerun_marks.spread(axes, race, "cumulative_flops", "train_loss")
    rerun_marks.in_powers(axes, race_curves.FLOPS_LABEL, race["cumulative_flops"].max())
    axes.set(ylabel="training loss of the step's batch\n(nats per character)")
    rerun_marks.draw(axes, reruns, "cumulative_flops", "train_loss")
    axes.legend(handles=[rerun_marks.posted_handle()])
    plotting.headed(
        figure,
        says(reruns),
        "Training loss of the batch at each checkpoint. Lines: the post's run made again; thin lines and bands: "
        f"{rerun_marks.of_seeds(race['seed'].nunique())}, ± 1 sd of single runs.",
        plotting.source(TABLES, "The post's text (TinyStories) and draws."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(reruns: pd.DataFrame) -> str:
    """Where the posted losses end, and how near the rerun comes."""
    ends = reruns.groupby("arm")["train_loss_posted"].last()
    side = "below" if ends["moe"] < ends["dense"] else "above"
    return (
        f"The post's training loss ends at {fixed(ends['moe'], 2)} nats with experts, {side} the dense "
        f"{fixed(ends['dense'], 2)}; made again, {rerun_marks.agreement(reruns, 'train_loss')}"
    )
