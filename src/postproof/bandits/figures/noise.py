"""What exploring is worth over the variance of the rewards: the most that any epsilon gains, against a greedy agent
that starts from 0, as the post's algorithm does, and against one that has tried every arm once.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.bandits import looks
from postproof.charts import palette, plotting
from postproof.core import tables

TABLES = ("bandits/noise",)
AGAINST = looks.among("greedy", "tries_first")
NAMES = {"greedy": "greedy from 0", "tries_first": "greedy after\none try of all"}
STRETCHES = ("first", "all")


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    [table] = tables.read_all(args.tables, TABLES)
    own = table[table["agent"].isin(AGAINST)]
    of_itself = [own.loc[own["agent"] == agent, f"over_{agent}"].abs().max() for agent in AGAINST]
    tables.must_hold(args.tables[0], {"nothing is ahead of itself": max(of_itself) == 0})
    plotting.style()
    figure, panels = plt.subplots(1, 2, figsize=(plotting.COLUMN, 4.4), sharey=True)
    ends = [draw(axes, table[table["stretch"] == stretch]) for axes, stretch in zip(panels, STRETCHES)]
    panels[0].set_ylabel("gain per step of the best ε")
    epsilons = ", ".join(f"{epsilon:g}" for epsilon in sorted(set(table["epsilon"]) - {0}))
    plotting.headed(
        figure,
        says(table),
        f"Reward per step of ε-greedy, at the best of ε = {epsilons}, less that of a greedy agent on the same "
        "problems; "
        "bars: 95 % intervals. Sample averages; variances are equally far apart.",
        plotting.source(TABLES, "Runs of our own."),
    )
    plotting.name_ends(panels[1], ends[1])
    plotting.save(figure, args.out_svg, args.out_png)


def best(table: pd.DataFrame) -> pd.DataFrame:
    """The row of the epsilon with most reward, for each variance."""
    explorers = table[table["epsilon"] > 0].reset_index(drop=True)
    return explorers.loc[explorers.groupby("variance")["reward"].idxmax()]


def draw(axes: Axes, table: pd.DataFrame) -> list[tuple]:
    rows = best(table)
    places = range(len(rows))
    ends = []
    for agent, look in AGAINST.items():
        gain, low, high = (rows[f"over_{agent}{bound}"].to_numpy() for bound in ("", "_low", "_high"))
        axes.errorbar(places, gain, yerr=[gain - low, high - gain], color=look.colour, marker=look.marker,
                      linestyle=look.line, linewidth=1.6, elinewidth=1, capsize=3)  # fmt: skip
        ends.append((len(rows) - 1, gain[-1], f"over {NAMES[agent]}", look.colour))
    axes.axhline(0, color=palette.DARK_GREY, linewidth=0.8)
    axes.set_xticks(places, [f"{variance:g}" for variance in rows["variance"]])
    axes.set(xlabel="variance of a reward", xlim=(-0.25, len(rows) - 0.75))
    axes.set_title(f"{table['steps'].iloc[0]:,.0f} steps", fontsize=10, loc="left")
    return ends


def says(table: pd.DataFrame) -> str:
    """Whether exploring gains more as rewards get noisier, against either greedy agent."""
    parts = []
    rows = best(table[table["stretch"] == "all"])
    for agent, name in (("greedy", "over greedy from 0"), ("tries_first", "over greedy after a try of all")):
        first, last = rows[f"over_{agent}"].iloc[[0, -1]]
        moves = "grows" if last > first else "does not grow"
        parts.append(f"{name} it {moves}, from {first:+.2f} to {last:+.2f}")
    low, high = rows["variance"].iloc[[0, -1]]
    return f"From variance {low:g} to {high:g} the gain of exploring changes: {'; '.join(parts)}"
