"""What supervised, unsupervised and reinforcement learning get from the same recorded walk, and what each was told.

Left: the return of the policy that came out. Right: how often it is right, over all states and over its own steps.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import plotting
from postproof.core import tables
from postproof.rl_intro.figures import dots, means
from postproof.rl_intro.looks import LOOKS

TABLES = ("rl_intro/three_ways", "rl_intro/clusters")
WAYS = {
    "unsupervised": "unsupervised:\nno feedback",
    "supervised": "supervised:\n{labels:.0f} labels",
    "recorded": "recorded rewards:\n{rewards:,.1f} on average",
    "interaction": "rewards of its own:\n{rewards:,.1f} on average",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, clusters = tables.read_all(args.tables, TABLES)
    best = table["best_return"].iloc[0]
    tables.must_hold(args.tables[0], {
        "no way gets more than the best": (table["return"] <= best + 1e-6).all(),
        "right in every state is the best": ((table["right_states"] < 1) | (table["return"] > best - 1e-6)).all(),
    })  # fmt: skip
    cases = [((way, labels), rows) for way in WAYS
             for labels, rows in table[table["way"] == way].groupby("labels")]  # fmt: skip
    plotting.style()
    figure, (returns, right) = plt.subplots(1, 2, figsize=(plotting.COLUMN, 1.9 + 0.52 * len(cases)), sharey=True)
    for y, (_, rows) in enumerate(cases):
        dots.row(returns, y, rows["return"])
        for look in (LOOKS["right_states"], LOOKS["right_steps"]):
            right.plot(rows[look.stem].mean(), y, look.marker, color=look.colour, markersize=8)
        ends = [rows[column].mean() for column in ("right_states", "right_steps")]
        right.plot(ends, [y, y], color=LOOKS["right_states"].colour, linewidth=1, zorder=1)
    dots.compare(returns, best)
    dots.rows(
        returns, [WAYS[way].format(labels=labels, rewards=rows["rewards"].mean()) for (way, labels), rows in cases]
    )
    returns.set_xlabel("discounted return from the start")
    dots.number_axis(returns)
    dots.share_axis(right)
    right.set_xlabel("right actions: grey of all states,\nblack of the policy's own steps")
    right.grid(axis="y", visible=False)
    within, chance = clusters["within"].mean(), clusters["by_chance"].mean()
    plotting.headed(
        figure, says(table, best),
        f"One walk of random actions for each of {means.seeds(table)}; dots are seeds, bars means, dashed the best "
        f"there is. Unsupervised: groups of states that keep {plotting.percent(within)} of the moves "
        f"({plotting.percent(chance)} by chance) are found, but no reason to prefer an action.",
        plotting.source(TABLES, f"World: {table['world'].iloc[0]}."),
    )  # fmt: skip
    plotting.save(figure, args.out_svg, args.out_png)


def says(table: pd.DataFrame, best: float) -> str:
    """In how many runs recorded rewards are enough for the best policy, and how many labels it takes."""
    is_best = table.assign(best=table["return"] > best - 1e-6)
    recorded = is_best[is_best["way"] == "recorded"]
    found, runs = recorded["best"].sum(), len(recorded)
    enough = "all runs" if found == runs else "no run" if found == 0 else f"{found} of {runs} runs"
    labels = is_best[is_best["way"] == "supervised"].groupby("labels")["best"].all()
    needed = (
        f"of right actions as labels, {labels.idxmax()} are the fewest tried that are"
        if labels.any()
        else "no number of labels tried is"
    )
    return (
        f"{recorded['rewards'].mean():,.0f} recorded rewards, on average, are enough for the best policy in {enough}; "
        f"{needed}"
    )
