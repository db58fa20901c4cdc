"""Entropy of the expert choices with and without the auxiliary loss, pooled over both slots, all layers and the 25
steps before each checkpoint, on the post's text with its draws: the post's checkpoints as crosses, the same runs made
again as lines, other seeds thin, against even routing and the untrained routers.
"""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import plotting
from postproof.core import tables
from postproof.mixtral.figures import rerun_marks, router_tables
from postproof.mixtral.figures.rerun_marks import fixed
from postproof.mixtral.looks import LOOKS

TABLES = (
    "mixtral/router_balance_as_run",
    "mixtral/router_by_layer_as_run",
    "mixtral/expert_usage_as_run",
    "mixtral/router_balance_reruns",
)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    balance_file, layers_file, usage_file, reruns_file = args.tables
    balance, layers = router_tables.read_balance(balance_file), router_tables.read_layers(layers_file)
    experts = router_tables.read_usage(usage_file)["expert"].nunique()
    reruns = tables.read(reruns_file, "mixtral/router_balance_reruns")
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 5.0))
    rerun_marks.spread(axes, balance, "step", "entropy")
    untrained = layers.loc[(layers["step"] == 0) & (layers["layer"] == "all"), "entropy"].mean()
    levels = [
        ("even", math.log(experts), f"even: ln {experts} = {fixed(math.log(experts), 3)}"),
        ("untrained", untrained, f"untrained: {fixed(untrained, 3)}"),
    ]
    steps = balance["step"].min(), balance["step"].max()
    for stem, level, _ in levels:
        axes.hlines(level, *steps, color=LOOKS[stem].colour, linestyle=LOOKS[stem].line, linewidth=1.2)
    axes.set(xlabel=router_tables.STEPS_LABEL, ylabel="entropy of expert choices (nats)")
    more = [(steps[1], level, text, LOOKS[stem].colour) for stem, level, text in levels]
    rerun_marks.draw(axes, reruns, "step", "entropy", more)
    axes.legend(handles=[rerun_marks.posted_handle()], loc="lower right")
    plotting.headed(
        figure,
        says(reruns, experts),
        "Entropy of the expert choices since the checkpoint before, over slots and layers. Lines: the post's runs made "
        f"again; thin lines and bands: {rerun_marks.of_seeds(balance['seed'].nunique())}, ± 1 sd of single runs. "
        "Dashed: even routing, and untrained routers (mean).",
        plotting.source(TABLES, "The post's text (TinyStories) and draws."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(reruns: pd.DataFrame, experts: int) -> str:
    """From which step on the auxiliary loss raises the post's entropy, where it ends, how near the rerun comes."""
    by_arm = reruns.pivot(index="step", columns="arm", values="entropy_posted")
    higher = by_arm["with_aux"] > by_arm["no_aux"]
    ends = f"{fixed(by_arm['with_aux'].iloc[-1], 3)} nats against {fixed(by_arm['no_aux'].iloc[-1], 3)}"
    even = f"even routing is {fixed(math.log(experts), 3)}"
    if not higher.iloc[-1]:
        seen = f"In the post the auxiliary loss does not raise the router entropy: it ends at {ends}"
    elif higher.all():
        seen = f"In the post the auxiliary loss raises the router entropy throughout, to {ends}"
    else:
        since = by_arm.index[-_last_run(higher)]
        seen = f"In the post the auxiliary loss raises the router entropy only from step {since} on, to {ends}"
    return f"{seen} ({even}); made again, {rerun_marks.agreement(reruns, 'entropy')}"


def _last_run(flags: pd.Series) -> int:
    """How many of the last flags in a row are set."""
    return int(flags[::-1].cumprod().sum())
