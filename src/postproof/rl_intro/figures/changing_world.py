"""Rewards so far of agents whose maze changes on the way: their way is closed (left), or a shorter one opens (right).

Two panels as in the book's figures 8.4 and 8.5; the line is the change, of which no agent is told.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.rl_intro.figures import means
from postproof.rl_intro.looks import CHANGING

TABLES = ("rl_intro/changing_world", "rl_intro/adaptation")
TITLES = {"blocking": "the way is closed, a longer one opens", "shortcut": "a shorter way opens beside the first"}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    curves, adapted = tables.read_all(args.tables, TABLES)
    runs = curves.groupby(["world", "agent", "seed"])["reward"]
    tables.must_hold(args.tables[0], {
        "rewards begin at 0": (runs.first() == 0).all(),
        "rewards never fall": runs.apply(lambda run: run.is_monotonic_increasing).all(),
        "runs are those of the other table":
            set(runs.groups) == set(map(tuple, adapted[["world", "agent", "seed"]].to_numpy())),
    })  # fmt: skip
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(plotting.COLUMN, 4.6))
    for axes, (world, title) in zip(panels, TITLES.items()):
        of_world = curves[curves["world"] == world]
        ends = [means.draw(axes, of_agent, "step", "reward", CHANGING[agent], CHANGING[agent].short)
                for agent, of_agent in of_world.groupby("agent", sort=False)]  # fmt: skip
        lengths = adapted[adapted["world"] == world].iloc[0]
        axes.axvline(lengths["change_after"], color=palette.DARK_GREY, linewidth=1, linestyle="--")
        axes.set_title(f"{title}:\n{lengths['shortest_before']} steps, then {lengths['shortest_after']}", fontsize=9.5,
                       loc="left")  # fmt: skip
        axes.set(xlabel="steps", xlim=(0, 1.38 * of_world["step"].max()), ylim=(0, None))
        axes.set_xticks([step for step in axes.get_xticks() if step <= of_world["step"].max()])
        axes.xaxis.set_major_formatter("{x:,.0f}")
        plotting.name_ends(axes, ends)
    panels[0].set_ylabel("sum of all rewards so far")
    plotting.headed(
        figure, says(adapted),
        f"Goals reached so far, means over {means.seeds(curves)} with 95 % bands. Dashed: the change. Sentence: runs "
        "in which the median episode of the last tenth of the steps is near the shortest way.",
        plotting.source(TABLES, "Mazes of the book's figures 8.4 and 8.5; Dyna-Q+ has a bonus for what it did not try "
                        "for long."),
    )  # fmt: skip
    plotting.save(figure, args.out_svg, args.out_png)


def says(adapted: pd.DataFrame) -> str:
    """In how many runs each agent takes the shortcut at the end, and in how many the one with a model gets round."""
    share = adapted.groupby(["world", "agent"])["adapted"].agg(["sum", "size"])

    def of(world: str, agent: str) -> str:
        took, runs = share.loc[(world, agent)]
        return "no run" if took == 0 else f"all {runs} runs" if took == runs else f"{took} of {runs} runs"

    return (
        f"{CHANGING['dyna_q'].short} takes a shorter way that opens in {of('shortcut', 'dyna_q')}, "
        f"{CHANGING['q_learning'].short} without a model in {of('shortcut', 'q_learning')}, "
        f"{CHANGING['dyna_q_plus'].short} in {of('shortcut', 'dyna_q_plus')}; with its way closed "
        f"{CHANGING['dyna_q'].short} finds the other in {of('blocking', 'dyna_q')}"
    )
