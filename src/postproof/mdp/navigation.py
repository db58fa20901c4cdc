"""The post's robot: a maze with a reward at the goal, with and without a cost of every step and of bumping into walls.

Of each, in which share of the cells every optimal move leads closer to the goal: elsewhere a policy can be optimal that
goes astray, since a detour costs it nothing.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from postproof.core import settings, tables
from postproof.mdp import finite, solve
from postproof.mdp.settings import Navigation


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section mdp.navigation, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per discount rate and cost of a step")


def main(args) -> None:
    tables.write(args.out, navigated(settings.parse(Navigation, args.settings)), "mdp/navigation")


def navigated(settings: Navigation) -> pd.DataFrame:
    rows = []
    distance_S = -solve.optimal(maze(settings, goal=0, step=-1, bump=-1), 1)[0]
    for gamma in settings.gammas:
        for cost, step in (("step", settings.step_reward), ("none", 0.0)):
            mdp = maze(settings, settings.goal_reward, step, settings.bump_reward if cost == "step" else 0.0)
            _, q_SA = solve.optimal(mdp, gamma)
            closer_SA = (mdp.transitions_XS @ distance_S).reshape(q_SA.shape) < distance_S[:, None]
            direct_S = (closer_SA | ~solve.greedy(q_SA)).all(axis=1)
            rows.append((gamma, cost, float(direct_S[~mdp.terminal].mean())))
    return pd.DataFrame(rows, columns=["gamma", "cost", "share_direct"])


def maze(settings: Navigation, goal: float, step: float, bump: float) -> finite.FiniteMDP:
    walls = frozenset(map(tuple, settings.walls))
    goals = {tuple(settings.goal): goal + step}
    return finite.gridworld(
        settings.rows, settings.columns, walls=walls, goals=goals, step_reward=step, bump_reward=bump
    )
