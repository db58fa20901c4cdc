"""Steps of each episode while Q-learning, Sarsa and Dyna-Q learn to get through a maze with one reward, at its end.
Dots: first episode near the best policy that explores as much. Triangles: where the book has the agent so far.

Both axes are logarithmic: the first episode is as long as a random walk, the last ones as the way.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import FuncFormatter, NullLocator

from postproof.charts import plotting
from postproof.core import tables
from postproof.rl_intro.figures import means
from postproof.rl_intro.looks import LEARNERS, LOOKS

TABLES = ("rl_intro/learning_curves", "rl_intro/agents", "rl_intro/world_facts")
TICKS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 3000, 5000, 10000, 20000)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    curves, agents, facts = tables.read_all(args.tables, TABLES)
    tables.must_hold(args.tables[0], {
        "every run has as many episodes": curves.groupby(["agent", "seed"]).size().nunique() == 1,
        "agents are those of the other table": set(curves["agent"]) == set(agents["agent"]),
        "no episode is shorter than the shortest way": curves["steps"].min() >= facts["fewest_steps"].min(),
    })  # fmt: skip
    agents, [fact] = agents.set_index("agent"), facts.to_dict("records")
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 4.9))
    ends = []
    for agent, runs in curves.groupby("agent", sort=False):
        look = LEARNERS[agent]
        ends.append(means.draw(axes, runs, "episode", "steps", look, named(agent, agents)))
        mean = runs.groupby("episode")["steps"].mean()
        reached, printed = agents.loc[agent, ["reached_after", "printed_after"]]
        if reached > 0:
            axes.plot(reached, mean[reached], "o", color=look.colour, markersize=6, zorder=4)
        if 0 < printed <= mean.index[-1]:
            axes.plot(printed, 0.86 * fact["fewest_steps"], "^", color=look.colour, markersize=7, clip_on=False)
    for stem, column in (("exploring", "exploring_steps"), ("best", "fewest_steps")):
        axes.axhline(fact[column], color=LOOKS[stem].colour, linestyle=LOOKS[stem].line, linewidth=1, zorder=1)
    last = curves["episode"].max()
    axes.set(xscale="log", yscale="log", xlim=(1, last), xlabel="episode (log)",
             ylabel="steps of the episode (log)")  # fmt: skip
    axes.set_ylim(0.8 * fact["fewest_steps"], 1.7 * curves.groupby(["agent", "episode"])["steps"].mean().max())
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        axis.set_ticks([tick for tick in TICKS if low <= tick <= high])
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axis.set_minor_locator(NullLocator())
    plotting.headed(
        figure, says(agents),
        f"Steps from start to goal, means over {means.seeds(curves)} with 95 % bands. Dashed: the shortest way, "
        f"{fact['fewest_steps']:g} steps; dotted: the best with as many random actions, {fact['exploring_steps']:.1f}. "
        "Dots: first episode near it. Triangles: where the book's text has this agent (epsilon-)optimal.",
        plotting.source(TABLES, f"World: {fact['world']}."),
    )  # fmt: skip
    plotting.name_ends(axes, ends)
    plotting.save(figure, args.out_svg, args.out_png)


def named(agent: str, agents: pd.DataFrame) -> str:
    planned = agents.loc[agent, "planning_steps"]
    return f"{LEARNERS[agent].short}, {planned} planned" if planned else LEARNERS[agent].short


def says(agents: pd.DataFrame) -> str:
    """How many episodes the agent that plans most, and the one that does not plan, take to come near the best."""
    planner, plain = agents.loc[agents["planning_steps"].idxmax()], agents.loc["q_learning"]
    planned, alone = (
        f"{agent['reached_after']:.0f} episodes" if agent["reached_after"] > 0 else "more episodes than were run"
        for agent in (planner, plain)
    )
    return (
        f"Coming near the best takes {planned} with {planner['planning_steps']:.0f} planned steps for each real one, "
        f"{alone} with none"
    )
