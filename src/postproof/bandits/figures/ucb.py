"""Reward and share of the best arm over the steps of upper-confidence-bound selection beside epsilon-greedy, on the
same problems. At the step after every arm has been tried once, all bonuses are equal: there the best-looking arm is
pulled.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.bandits import looks
from postproof.bandits.figures import drawing
from postproof.charts import plotting
from postproof.charts.plotting import percent
from postproof.core import tables

TABLES = ("bandits/stationary", "bandits/stationary_duels")
AGENTS = looks.among("ucb", "large_epsilon")


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, duels = tables.read_all(args.tables, TABLES)
    drawing.check_curves(args.tables[0], table, AGENTS)
    last = table["last_step"].max()
    parameter = table.groupby("agent")["parameter"].first()
    names = {"ucb": f"UCB, c = {parameter['ucb']:g}", "large_epsilon": f"ε = {parameter['large_epsilon']:g}"}
    plotting.style()
    figure, panels = plt.subplots(2, 1, figsize=(plotting.COLUMN, 6.0), sharex=True)
    ends = [drawing.draw_curves(axes, table, measure, AGENTS, names) for axes, measure in zip(panels, drawing.AXIS)]
    for axes in panels:
        drawing.log_steps(axes, last)
    panels[0].set_xlabel("")
    panels[1].set_ylim(0, 1)
    plotting.headed(
        figure,
        says(duels, parameter),
        f"The testbed, {drawing.steps(last)}: means over problems, band: 95 % of such means; in brackets the 95 % "
        "interval of the difference. Both with sample averages, on "
        "the same problems with the same noise.",
        plotting.source(TABLES, "Runs of our own."),
    )
    for axes, named in zip(panels, ends):
        plotting.name_ends(axes, named)
    plotting.save(figure, args.out_svg, args.out_png)


def says(duels: pd.DataFrame, parameter: pd.Series) -> str:
    """Who earns more over the run, by how much, in how many problems."""
    rows = duels[(duels["agent"] == "ucb") & (duels["against"] == "large_epsilon") & (duels["measure"] == "reward")]
    gap = rows.set_index("stretch").loc["all"]
    near, far = sorted([abs(gap["low"]), abs(gap["high"])])
    much = f"{abs(gap['difference']):.3f} ({near:.3f} to {far:.3f})"
    if gap["low"] <= 0 <= gap["high"]:
        compared = "earns as much a step, within the error, as"
    else:
        compared = f"earns {much} {'more' if gap['difference'] > 0 else 'less'} a step than"
    return (
        f"Over the run UCB with c = {parameter['ucb']:g} {compared} ε-greedy with ε = {parameter['large_epsilon']:g}, "
        "and "
        f"is ahead in {percent(gap['ahead'])} of the problems"
    )
