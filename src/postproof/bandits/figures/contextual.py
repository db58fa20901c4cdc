"""Reward over the steps on the post's two cases and two actions, of agents that see the case and of agents that do not.

Crosses: the expected rewards that the post gives for the best of either.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.bandits import looks
from postproof.bandits.figures import drawing
from postproof.charts import palette, plotting, posted_marks
from postproof.core import tables

TABLES = ("bandits/contextual", "bandits/contextual_policies", "bandits/posted_contextual")
AGENTS = looks.among("blind", "blind_optimistic", "seeing", "seeing_optimistic")
NAMES = {"blind": "blind, ε", "blind_optimistic": "blind, high start", "seeing": "seeing, ε",
         "seeing_optimistic": "seeing, high start"}  # fmt: skip
POLICIES = {"best_blind": "the post: blind", "best_seeing": "the post: seeing"}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, policies, posted = tables.read_all(args.tables, TABLES)
    drawing.check_curves(args.tables[0], table, AGENTS)
    expected = policies.set_index("policy")["expected"]
    tables.must_hold(args.tables[1], {"seeing is worth something": expected["best_seeing"] >= expected["best_blind"]})
    last = table["last_step"].max()
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 4.6))
    ends = drawing.draw_curves(axes, table, "reward", AGENTS, NAMES)
    drawing.log_steps(axes, last)
    for policy in POLICIES:
        axes.axhline(expected[policy], color=palette.DARK_GREY, linestyle=":", linewidth=1.2, zorder=1)
    for policy, reward in zip(posted["policy"], posted["expected"]):
        posted_marks.mark(axes, [1], [reward], clip_on=False)
        posted_marks.beside(axes, f"{POLICIES[policy]} {reward:g}", 1, reward, (8, 8))
    plotting.headed(
        figure,
        says(table, expected),
        f"Two cases at random, two actions, {drawing.steps(last)}: means over runs, band: 95 % of such means. Dotted: "
        "the best "
        "that can be expected, blind and seeing. Crosses: the post.",
        plotting.source(TABLES, "Runs of our own; expectations exact."),
    )
    plotting.name_ends(axes, ends)
    plotting.save(figure, args.out_svg, args.out_png)


def says(table: pd.DataFrame, expected: pd.Series) -> str:
    """What each can expect at best, what is learnt, and whether it matters which action a blind agent takes."""
    last = table.groupby("agent")["reward"].last()
    fixed = expected[[name for name in expected.index if name.startswith("action_")]]
    same = "whatever it does" if fixed.max() == fixed.min() else "at best"
    return (
        f"An agent that cannot see the case gets {expected['best_blind']:g} {same}; one that sees it learns to get "
        f"{last['seeing_optimistic']:.1f} of {expected['best_seeing']:g}, {last['seeing']:.1f} while it explores"
    )
