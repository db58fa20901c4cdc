"""How far learned values are from exact ones while steps decrease: Q-learning comes to q*, Sarsa, which explores as
much, to the values of the best policy that goes on exploring. Dotted: the distance from the other's limit, which stays.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import FuncFormatter, NullLocator

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.rl_intro.figures import means
from postproof.rl_intro.looks import LEARNERS, LOOKS

TABLES = ("rl_intro/limits",)
OWN = {"q_learning": "to_greedy", "sarsa": "to_exploring"}
OTHER = {"q_learning": "to_exploring", "sarsa": "to_greedy"}
TICKS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    [table] = tables.read_all(args.tables, TABLES)
    gap = table["to_greedy"] + table["to_exploring"] - table["between"]
    tables.must_hold(args.tables[0], {
        "every run has the same checkpoints": table.groupby(["agent", "seed"])["step"].apply(tuple).nunique() == 1,
        "no value is nearer to both limits than they are to one another": (gap > -1e-6).all(),
    })  # fmt: skip
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 4.4))
    ends = []
    for agent, rows in table.groupby("agent", sort=False):
        colour, short = LEARNERS[agent].colour, LEARNERS[agent].short
        for limit, look in ((OWN[agent], LOOKS["own_limit"]), (OTHER[agent], LOOKS["other_limit"])):
            for _, run in rows.groupby("seed"):
                axes.plot(run["step"], run[limit], color=colour, linestyle=look.line, linewidth=0.6, alpha=0.5)
            mean = rows.groupby("step")[limit].mean()
            axes.plot(mean, color=colour, linestyle=look.line, linewidth=1.8)
            ends.append((mean.index[-1], mean.iloc[-1], f"{short}, {look.short}", colour))
    axes.axhline(table["between"].iloc[0], color=palette.LIGHT_GREY, linewidth=1, zorder=1)
    axes.set(xscale="log", yscale="log", xlabel="steps (log)", ylabel="largest error of a value (log)",
             xlim=(table["step"].min(), table["step"].max()))  # fmt: skip
    steps = sorted(set(table["step"]))
    axes.set_xticks(steps, [f"{step:,}" for step in steps])
    low, high = axes.get_ylim()
    axes.yaxis.set_ticks([tick for tick in TICKS if low <= tick <= high])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    plotting.headed(
        figure, says(table),
        f"Largest distance over all states and actions, thick: means over {means.seeds(table)}, thin: seeds. Steps "
        "decrease with visits. Solid: from the agent's own limit, dotted: from the other's. Grey: between the limits.",
        plotting.source(TABLES, f"World: {table['world'].iloc[0]}; exact limits from its table."),
    )  # fmt: skip
    plotting.name_ends(axes, ends)
    plotting.save(figure, args.out_svg, args.out_png)


def says(table: pd.DataFrame) -> str:
    """From where to where the errors fall, and whether each agent is nearer to its own limit in the end."""
    means_ = table.groupby(["agent", "step"])[["to_greedy", "to_exploring"]].mean()
    parts, nearer = [], True
    for agent in OWN:
        own, other = means_.loc[agent, OWN[agent]], means_.loc[agent, OTHER[agent]]
        verb = "falls" if own.iloc[-1] < own.iloc[0] else "does not fall,"
        parts.append(f"{LEARNERS[agent].short}'s error {verb} from {own.iloc[0]:.2f} to {own.iloc[-1]:.2f}")
        nearer = nearer and own.iloc[-1] < other.iloc[-1]
    end = "each ends at its own limit" if nearer else "not each ends at its own limit"
    return f"{' and '.join(parts)}: {end}, greedy values and exploring ones"
