"""Q-learning with one thing taken away at a time, after as many steps each; last a learner without values.

Left: what its greedy policy is worth at the end. Right: what it gets while it learns.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import plotting
from postproof.core import tables
from postproof.rl_intro.figures import dots, means

TABLES = ("rl_intro/what_is_needed", "rl_intro/world_facts")
NAMES = {
    "as_it_is": "as it is",
    "no_exploration": "always greedy",
    "optimistic": "always greedy,\nhigh first values",
    "only_exploration": "always random",
    "no_foresight": "rewards alone,\ndiscount 0",
    "no_discount": "plain sums,\ndiscount 1",
    "no_values": "no values,\nREINFORCE",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, facts = tables.read_all(args.tables, TABLES)
    [fact] = facts.to_dict("records")
    tables.must_hold(args.tables[0], {
        "every variant has the same seeds": table.groupby("variant")["seed"].apply(tuple).nunique() == 1,
        "no policy gets more than the best": (table["greedy_return"] <= fact["best_return"] + 1e-6).all(),
    })  # fmt: skip
    plotting.style()
    figure, (returns, rewards) = plt.subplots(1, 2, figsize=(plotting.COLUMN, 5.4), sharey=True)
    for y, variant in enumerate(NAMES):
        rows = table[table["variant"] == variant]
        dots.row(returns, y, rows["greedy_return"])
        dots.row(rewards, y, rows["late_reward"])
    dots.rows(returns, list(NAMES.values()))
    rewards.grid(axis="y", visible=False)
    dots.compare(returns, fact["best_return"])
    returns.set_xlabel("discounted return from the start,\nacting greedily in the end")
    rewards.set_xlabel("reward per step while it learns,\nlast tenth of the steps")
    for axes in (returns, rewards):
        dots.number_axis(axes)
    plotting.headed(
        figure, says(table, fact["best_return"]),
        f"Q-learning but for the last, {means.seeds(table)}: dots are seeds, bars their means, dashed the best.",
        plotting.source(TABLES, f"World: {fact['world']}."),
    )  # fmt: skip
    plotting.save(figure, args.out_svg, args.out_png)


def says(table: pd.DataFrame, best: float) -> str:
    """In how many runs the greedy policy is the best one without exploration, by optimism, and by exploring only."""
    found = (table["greedy_return"] > best - 1e-6).groupby(table["variant"]).agg(["sum", "size"])

    def of(variant: str) -> str:
        runs, all_runs = found.loc[variant]
        return "no run" if runs == 0 else f"all {all_runs} runs" if runs == all_runs else f"{runs} of {all_runs} runs"

    return (
        f"Always greedy, Q-learning finds the best way in {of('no_exploration')}, with high first values in "
        f"{of('optimistic')}, acting at random in {of('only_exploration')}, from rewards alone in {of('no_foresight')}"
    )
