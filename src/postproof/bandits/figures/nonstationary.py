"""Share of the best arm over the steps where the values change: they walk, all are drawn anew half-way, or the worst
arm becomes the best one half-way and all others stay. What is good at one change need not be at another.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from postproof.bandits import looks
from postproof.bandits.figures import drawing
from postproof.charts import palette, plotting
from postproof.charts.plotting import percent
from postproof.core import tables

TABLES = ("bandits/nonstationary", "bandits/nonstationary_scores")
AGENTS = looks.among("realistic", "large_epsilon", "optimistic", "ucb")
NAMES = {
    "realistic": "ε, constant α",
    "large_epsilon": "ε, 1/n",
    "optimistic": "optimistic, constant α",
    "ucb": "UCB, 1/n",
}
TITLES = {
    "drifting": "all values walk from 0",
    "switch": "half-way, all values are drawn anew",
    "rise": "half-way, the worst arm becomes the best",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, scores = tables.read_all(args.tables, TABLES)
    for _, rows in table.groupby("kind"):
        drawing.check_curves(args.tables[0], rows, AGENTS)
    plotting.style()
    figure, panels = plt.subplots(3, 1, figsize=(plotting.COLUMN, 8.6))
    ends = []
    for axes, (kind, title) in zip(panels, TITLES.items()):
        rows = table[table["kind"] == kind]
        last = rows["last_step"].max()
        ends.append(drawing.draw_curves(axes, rows, "best_share", AGENTS, NAMES))
        drawing.linear_steps(axes, last)
        axes.set_ylim(0, 1)
        axes.set_title(title, fontsize=10, loc="left")
        if kind != "drifting":
            axes.axvline(last / 2, color=palette.DARK_GREY, linestyle=":", linewidth=1.2)
    plotting.headed(
        figure,
        says(scores),
        "Means over problems, band: 95 % of such means. Dotted: the change. “1/n”: sample averages; α, ε, c and the "
        "high "
        "start as on the testbed.",
        plotting.source(TABLES, "Runs of our own."),
    )
    for axes, named in zip(panels, ends):
        plotting.name_ends(axes, named)
    plotting.save(figure, args.out_svg, args.out_png)


def says(scores: pd.DataFrame) -> str:
    """What a constant step size is worth where values walk, and who finds a new best arm after each change."""

    def share(kind: str, agent: str) -> float:
        return drawing.score(scores[scores["kind"] == kind], agent, "last", "best_share")

    drift = [percent(share("drifting", agent)) for agent in ("realistic", "large_epsilon")]
    after = {kind: (share(kind, "optimistic"), share(kind, "realistic")) for kind in ("switch", "rise")}
    ahead = {kind: optimistic > exploring for kind, (optimistic, exploring) in after.items()}
    words = {True: "finds more of", False: "finds less of"}
    if ahead["switch"] == ahead["rise"]:
        start = f"a high start {words[ahead['rise']]} the new best arm than ε after either change"
    else:
        start = (
            f"after all values are drawn anew a high start {words[ahead['switch']]} the best arm than ε, after a rise "
            "of the "
            f"worst {words[ahead['rise']].removeprefix('finds ')} it"
        )
    walk = (
        f"Where values walk, the last steps have the best arm in {drift[0]} with a constant α, {drift[1]} with averages"
    )
    return f"{walk}; {start}"
