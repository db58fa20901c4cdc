"""Each family of agents over its own parameter on the testbed, as in the book's figure 2.6, and how far each family at
its best is ahead of epsilon-greedy at its best, on several kinds of problems.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from postproof.bandits import looks
from postproof.bandits.runs import SIGMAS
from postproof.charts import palette, plotting
from postproof.core import tables

TABLES = ("bandits/parameter_study", "bandits/parameter_study_best")
DRAWN = "testbed"
AGAINST = "epsilon_greedy"


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, best = tables.read_all(args.tables, TABLES)
    most = table.groupby(["kind", "family"])["reward"].max()
    tables.must_hold(args.tables[1], {"the best is the highest": np.allclose(
        most.loc[list(zip(best["kind"], best["family"]))].to_numpy(), best["reward"])})  # fmt: skip
    plotting.style()
    figure, (above, below) = plt.subplots(2, 1, figsize=(plotting.COLUMN, 8.4), height_ratios=[4, 5])
    ends = draw_study(above, table[table["kind"] == DRAWN])
    draw_leads(below, best)
    plotting.headed(
        figure,
        says(best),
        "Mean reward per step over whole runs. Above: the testbed, each family over its own parameter; band: 95 % of "
        "such "
        "means. Below: each family at its best parameter, less sample-average ε-greedy at its best on the same "
        "problems; "
        "bars: 95 % intervals.",
        plotting.source(TABLES, "Runs of our own."),
    )
    plotting.name_ends(above, ends)
    plotting.save(figure, args.out_svg, args.out_png)


def draw_study(axes: Axes, table: pd.DataFrame) -> list[tuple]:
    ends = []
    for family, stem in looks.FAMILIES.items():
        look = looks.LOOKS[stem]
        rows = table[table["family"] == family].sort_values("parameter")
        x, y, error = rows["parameter"], rows["reward"], SIGMAS * rows["reward_error"]
        axes.plot(x, y, color=look.colour, linestyle=look.line, marker=look.marker, markersize=4, linewidth=1.6)
        axes.fill_between(x, y - error, y + error, color=look.colour, alpha=0.18, linewidth=0)
        ends.append((x.iloc[-1], y.iloc[-1], look.short, look.colour))
    axes.set_xscale("log", base=2)
    low, high = (int(round(f(np.log2(table["parameter"])))) for f in (min, max))
    powers = np.arange(low, high + 1)
    axes.set_xticks(2.0**powers, [f"1/{2**-p}" if p < 0 else f"{2**p}" for p in powers])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="ε, α, c or start (log)", ylabel="reward per step")
    return ends


def draw_leads(axes: Axes, best: pd.DataFrame) -> None:
    """A row for each kind, the first one on top; families side by side in it."""
    kinds = list(dict.fromkeys(best["kind"]))
    families = [family for family in looks.FAMILIES if family != AGAINST]
    for number, family in enumerate(families):
        look = looks.LOOKS[looks.FAMILIES[family]]
        rows = best[best["family"] == family].set_index("kind").loc[kinds]
        places = np.arange(len(kinds)) + 0.17 * (number - (len(families) - 1) / 2)
        axes.errorbar(rows["lead"], places, xerr=[rows["lead"] - rows["lead_low"], rows["lead_high"] - rows["lead"]],
                      fmt=look.marker, color=look.colour, markersize=5, elinewidth=1, capsize=2,
                      label=look.short.split(":")[0])  # fmt: skip
    axes.axvline(0, color=palette.BLUE, linewidth=1.2)
    axes.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in kinds])
    axes.set(ylim=(len(kinds) - 0.5, -0.5), xlabel="lead over ε-greedy, reward per step")
    axes.legend(loc="best", fontsize=plotting.SMALL_POINTS)


def says(best: pd.DataFrame) -> str:
    """On how many kinds of problems each leader has most, and on how many UCB beats epsilon-greedy beyond doubt."""
    kinds = best["kind"].nunique()
    ucb = best[best["family"] == "ucb"]
    beats = int((ucb["lead_low"] > 0).sum())
    leaders = best.loc[best.groupby("kind")["reward"].idxmax(), ["kind", "family"]]
    first = int((leaders["family"] == "ucb").sum())
    others = leaders[leaders["family"] != "ucb"]
    names = [f"{looks.LOOKS[looks.FAMILIES[family]].short.split(':')[0]} on {kind.replace('_', ' ')}"
             for kind, family in zip(others["kind"], others["family"])]  # fmt: skip
    rest = f"; else {', '.join(names)}" if names else ""
    return (
        f"At its best UCB earns more than ε-greedy at its best on {beats} of {kinds} kinds of problems, and most of "
        "all on "
        f"{first}{rest}"
    )
