"""Values of the book's gridworld beside what it prints: v_pi of the equiprobable policy (figure 3.2), v* (figure 3.5).

Example 3.5 of Sutton and Barto, 2nd ed. Each value is from the linear system of the Bellman equation (eq. 3.14), v* by
policy iteration; of the optimal policy every maximising move is given.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import files, settings, tables
from postproof.mdp import solve
from postproof.mdp.models import book_gridworld
from postproof.mdp.settings import Gridworld

FIGURES = {"equiprobable": 3.2, "optimal": 3.5}  # of the book, by policy


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section mdp.gridworld, as JSON")
    parser.add_argument("--printed", type=Path, required=True, help="CSV of the book's values")
    parser.add_argument("--out-values", type=Path, required=True, help="tidy CSV, a row per policy and cell")
    parser.add_argument("--out-moves", type=Path, required=True, help="tidy CSV, a row per cell and move")


def main(args) -> None:
    section = settings.parse(Gridworld, args.settings)
    printed = files.read_csv(args.printed, numbers=("figure", "row", "column", "value"))
    values, moves = solved(section, printed)
    tables.write(args.out_values, values, "mdp/gridworld_values")
    tables.write(args.out_moves, moves, "mdp/gridworld_optimal")


def solved(settings: Gridworld, printed: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Values by policy and cell, with the printed one where there is one; and q* by cell and move."""
    mdp = book_gridworld(settings)
    equiprobable_S = solve.evaluate(mdp, solve.uniform(mdp), settings.gamma)
    optimal_S, optimal_SA = solve.optimal(mdp, settings.gamma)
    row, column = np.divmod(np.arange(len(mdp.states)), settings.columns)
    cells = pd.DataFrame({"row": row, "column": column})
    starts = {tuple(jump.at): name for name, jump in settings.jumps.items()}
    cells["jump"] = [starts.get(cell) for cell in zip(row.tolist(), column.tolist())]
    parts = []
    for policy, value_S in (("equiprobable", equiprobable_S), ("optimal", optimal_S)):
        of_figure = printed.loc[printed["figure"] == FIGURES[policy], ["row", "column", "value"]]
        beside = cells[["row", "column"]].merge(of_figure, how="left", on=["row", "column"])["value"]
        parts.append(cells.assign(policy=policy, value=value_S, printed=beside.to_numpy()))
    values = pd.concat(parts, ignore_index=True)[["policy", "row", "column", "jump", "value", "printed"]]
    moves = cells.loc[np.repeat(cells.index, len(mdp.actions)), ["row", "column"]].reset_index(drop=True)
    moves = moves.assign(move=list(mdp.actions) * len(cells), value=optimal_SA.ravel(),
                         is_best=solve.greedy(optimal_SA).ravel().astype(int))  # fmt: skip
    return values, moves
