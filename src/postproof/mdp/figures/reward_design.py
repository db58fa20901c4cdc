"""A race to mate with pieces that can be taken and help nobody: how often a policy that is optimal for its reward
mates, by design of the reward and discount rate; and from which rate on mate comes before a bonus.

Left: the post's numbers. Paid for mate alone, a player mates as often as can be; paid as much for a capture, it takes
every piece first at any rate; where mate counts a hundred captures, that depends on the rate. Right: the rate from
which on captures no longer come first, over what one is worth; above the last point no rate is high enough.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.mdp.looks import DESIGNS, PENALTIES

TABLES = ("mdp/reward_design", "mdp/reward_design_bonus")
NEVER = (1.05, 1.1)  # where crosses stand
ENOUGH = 1e-6  # probabilities closer are equal


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, bonus = read(args.tables)
    plotting.style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(plotting.COLUMN, 4.6))
    draw_designs(left, table)
    draw_bonus(right, bonus)
    plotting.headed(
        figure,
        says(table),
        "Left: probability of mating, of a policy that is optimal for the reward. Right: discount rate from which on it"
        " mates as often as any policy can, by the reward of a capture in shares of that for mate; crosses: at none.",
        plotting.source(TABLES, "A race to mate, solved exactly."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def read(paths: list[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Raises ArtefactError when a policy mates more often than any can."""
    table, bonus = tables.read_all(paths, TABLES)
    within = (table["mates"] <= table["mates_at_most"] + ENOUGH).all()
    tables.must_hold(paths[0], {"no policy mates more often than any can": within})
    return table, bonus


def first_enough(rows: pd.DataFrame) -> float | None:
    """The discount rate from which on, up to the last, a design mates as often as can be; None if not at the last."""
    fails = rows.loc[rows["mates"] < rows["mates_at_most"] - ENOUGH, "gamma"]
    if fails.empty:
        return float(rows["gamma"].min())
    above = rows.loc[rows["gamma"] > fails.max(), "gamma"]
    return float(above.min()) if len(above) else None


def says(table: pd.DataFrame) -> str:
    """From which rate on each design that is ever led astray mates first."""
    said = []
    for design, rows in table.groupby("design", sort=False):
        start = first_enough(rows)
        if start is None:
            said.append(f"where {DESIGNS[design].short}, captures come before mate at every discount rate")
        elif start > rows["gamma"].min():
            said.append(f"where {DESIGNS[design].short}, mate comes before captures from a rate of {start:.2f} on")
    if not said:
        return "With every design of the reward, at every discount rate, mate comes before captures"
    return f"W{'; '.join(said)[1:]}"


def draw_designs(axes: Axes, table: pd.DataFrame) -> None:
    """Lines that lie on one another become thinner upward, so that all are seen."""
    for i, (design, rows) in enumerate(table.groupby("design", sort=False)):
        look = DESIGNS[design]
        axes.plot(rows["gamma"], 100 * rows["mates"], color=look.colour, linewidth=max(1.2, 5 - 1.8 * i), clip_on=False,
                  solid_capstyle="butt")  # fmt: skip
        axes.annotate(look.short, (0.02, 0.98 - 0.06 * i), xycoords="axes fraction", va="top", color=look.colour,
                      size=plotting.SMALL_POINTS)  # fmt: skip
    most = 100 * table["mates_at_most"].max()
    axes.set(xlabel="discount rate", ylabel="mates (% of games)", xlim=(0, 1), ylim=(0, 1.3 * most))


def draw_bonus(axes: Axes, bonus: pd.DataFrame) -> None:
    for i, (penalty, rows) in enumerate(bonus.groupby("penalty", sort=False)):
        look = PENALTIES[penalty]
        some, none = rows.dropna(subset="mate_first_from"), rows[rows["mate_first_from"].isna()]
        axes.plot(
            some["bonus"],
            some["mate_first_from"],
            color=look.colour,
            marker=look.marker,
            linestyle=look.line,
            markersize=5,
        )
        axes.plot(none["bonus"], [NEVER[i]] * len(none), color=look.colour, marker="x", linestyle="none", markersize=6)
        axes.annotate(look.long, (0.98, 0.16 - 0.07 * i), xycoords="axes fraction", color=look.colour, ha="right",
                      va="center", size=plotting.SMALL_POINTS)  # fmt: skip
    axes.axhline(1, color=palette.LIGHT_GREY, linewidth=0.8)
    axes.set(xscale="log", xlabel="a capture's share of mate (log)", ylabel="mate first from this rate on",
             ylim=(0, 1.15))  # fmt: skip
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
