"""Share of the best arm and reward over the steps of greedy agents that start from a high estimate: with the constant
step size of the book's figure, and with the sample average of the post's algorithm, where the first reward replaces
the start.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.bandits import looks
from postproof.bandits.figures import drawing
from postproof.charts import plotting
from postproof.charts.plotting import percent
from postproof.core import tables

TABLES = ("bandits/stationary", "bandits/stationary_scores", "bandits/optimistic_tries")
AGENTS = looks.among("greedy", "realistic", "optimistic_average", "optimistic")


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, scores, tries = tables.read_all(args.tables, TABLES)
    drawing.check_curves(args.tables[0], table, AGENTS)
    tables.must_hold(args.tables[2], {"more tries are rarer": not tries.groupby("agent")["share"].diff().gt(0).any()})
    last = table["last_step"].max()
    parameter = table.groupby("agent")["parameter"].first()
    names = {"greedy": "start 0, greedy, 1/n", "realistic": f"start 0, ε = {parameter['realistic']:g}, constant α",
             "optimistic": f"start {parameter['optimistic']:g}, constant α",
             "optimistic_average": f"start {parameter['optimistic_average']:g}, 1/n"}  # fmt: skip
    plotting.style()
    figure, panels = plt.subplots(2, 1, figsize=(plotting.COLUMN, 6.4), sharex=True)
    ends = [drawing.draw_curves(axes, table, measure, AGENTS, names)
            for axes, measure in zip(panels, ("best_share", "reward"))]  # fmt: skip
    for axes in panels:
        drawing.log_steps(axes, last)
    panels[0].set_xlabel("")
    panels[0].set_ylim(0, 1)
    plotting.headed(
        figure,
        says(scores, tries),
        f"The testbed, {drawing.steps(last)}: means over problems, band: 95 % of such means. “1/n”: sample averages, "
        "as "
        "in the post's algorithm; “constant α”: as in the book's figure. Agents without ε never explore at random.",
        plotting.source(TABLES, "Runs of our own."),
    )
    for axes, named in zip(panels, ends):
        plotting.name_ends(axes, named)
    plotting.save(figure, args.out_svg, args.out_png)


def says(scores: pd.DataFrame, tries: pd.DataFrame) -> str:
    """How often each tries every arm, and what that is worth at the end."""
    constant, average = (most_tries(tries, agent) for agent in ("optimistic", "optimistic_average"))
    ends = [drawing.score(scores, agent, "last", "best_share") for agent in ("optimistic", "optimistic_average")]
    return (
        f"From a high start every arm is tried {times(constant)} at least with a constant step size, {times(average)} "
        "with "
        f"sample averages; the best arm then has {percent(ends[0])} and {percent(ends[1])} of the last steps"
    )


def most_tries(tries: pd.DataFrame, agent: str) -> int:
    """How many tries of every arm nearly all problems have seen."""
    rows = tries[(tries["agent"] == agent) & (tries["share"] > 0.99)]
    return int(rows["tries"].max()) if len(rows) else 0


def times(count: int) -> str:
    return {0: "not even once", 1: "once", 2: "twice"}.get(count, f"{count} times")
