"""Share of the best arm over the steps of gradient agents, with the mean of earlier rewards as a baseline and without
one, on problems whose values lie around another mean than 0.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.bandits import looks
from postproof.bandits.figures import drawing
from postproof.charts import plotting
from postproof.charts.plotting import percent
from postproof.core import tables

TABLES = ("bandits/stationary", "bandits/stationary_scores")
SPEEDS = ("slow", "fast")
AGENTS = looks.among(*(f"gradient_{speed}_{baseline}" for baseline in ("before", "none") for speed in SPEEDS))


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, scores = tables.read_all(args.tables, TABLES)
    drawing.check_curves(args.tables[0], table, AGENTS)
    last = table["last_step"].max()
    parameter = table.groupby("agent")["parameter"].first()
    names = {agent: f"α = {parameter[agent]:g}{', no baseline' if agent.endswith('none') else ''}" for agent in AGENTS}
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 4.6))
    ends = drawing.draw_curves(axes, table, "best_share", AGENTS, names)
    drawing.linear_steps(axes, last)
    axes.set_ylim(0, 1)
    plotting.headed(
        figure,
        says(scores, parameter),
        f"Problems with values far from 0 (gradient_mean of params.yaml), {drawing.steps(last)}: means over problems, "
        "band: "
        "95 % of such means. Baseline: the mean of all earlier rewards.",
        plotting.source(TABLES, "Runs of our own."),
    )
    plotting.name_ends(axes, ends)
    plotting.save(figure, args.out_svg, args.out_png)


def says(scores: pd.DataFrame, parameter: pd.Series) -> str:
    """What is lost without a baseline, at each step size."""
    parts = []
    for speed in SPEEDS:
        with_baseline, without = (
            drawing.score(scores, f"gradient_{speed}_{baseline}", "last", "best_share")
            for baseline in ("before", "none")
        )
        moves = "falls" if without < with_baseline else "rises"
        alpha = parameter[f"gradient_{speed}_before"]
        parts.append(f"{moves} from {percent(with_baseline)} to {percent(without)} at α = {alpha:g}")
    return f"Without a baseline the best arm's share of the last steps {' and '.join(parts)}"
