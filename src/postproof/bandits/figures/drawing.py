"""Curves over steps, as several charts of this post draw them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter

from postproof.bandits.runs import SIGMAS
from postproof.charts.palette import Look
from postproof.core import tables

AXIS = {"reward": "reward per step", "best_share": "steps with the best arm"}
Ends = list[tuple[float, float, str, str]]


def middle(rows: pd.DataFrame) -> pd.Series:
    """Of each window, in steps."""
    return (rows["first_step"] + rows["last_step"]) / 2


def draw_curves(axes: Axes, table: pd.DataFrame, measure: str, looks: Mapping[str, Look], names: Mapping[str, str],
                until: float | None = None) -> Ends:  # fmt: skip
    """A line for each agent, with the band in which 95 % of such means lie. Returns where lines end, for names."""
    ends = []
    for agent, look in looks.items():
        rows = table[table["agent"] == agent]
        rows = rows if until is None else rows[rows["last_step"] <= until]
        x, y, error = middle(rows), rows[measure], rows[f"{measure}_error"]
        axes.plot(x, y, color=look.colour, linestyle=look.line, linewidth=1.6)
        axes.fill_between(x, y - SIGMAS * error, y + SIGMAS * error, color=look.colour, alpha=0.18, linewidth=0)
        ends.append((x.iloc[-1], y.iloc[-1], names[agent], look.colour))
    axes.set_ylabel(AXIS[measure])
    if measure == "best_share":
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    return ends


def linear_steps(axes: Axes, last: float) -> None:
    axes.set(xlabel="step", xlim=(0, last))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    axes.locator_params(axis="x", nbins=5)


def log_steps(axes: Axes, last: float) -> None:
    axes.set(xscale="log", xlabel="step (log)", xlim=(1, last))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())


def check_curves(path: Path, table: pd.DataFrame, agents: Mapping[str, Look]) -> None:
    """Raises ArtefactError when an agent is missing, or windows do not follow one another."""
    found = set(table["agent"])
    follow = True
    for _, rows in table.groupby("agent"):
        follow &= rows["first_step"].iloc[0] == 1
        follow &= (rows["first_step"].iloc[1:].to_numpy() == rows["last_step"].iloc[:-1].to_numpy() + 1).all()
    tables.must_hold(path, {"every agent is there": set(agents) <= found, "windows follow one another": follow})


def score(table: pd.DataFrame, agent: str, stretch: str, measure: str) -> float:
    """A cell of a table of scores."""
    rows = table[(table["agent"] == agent) & (table["stretch"] == stretch)]
    return float(rows[measure].iloc[0])


def steps(count: float) -> str:
    return f"{count:,.0f} step{'s' * int(count != 1)}"
