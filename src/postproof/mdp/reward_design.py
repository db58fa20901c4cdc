"""Which reward wins the game: a race to mate (models.race) with captures that help nobody, solved exactly.

An optimal policy for a design of reward and a discount rate is held against the game itself: with which probability it
mates, and how many pieces it takes, whatever it was paid for. Of several optimal actions attack comes first.

The second table asks from which discount rate on mate comes first, that is, the policy mates as often as any can, for
a capture that is worth a share of mate; being mated costs nothing or as much as mate is worth. It bisects between rates
of the first table's grid. The third says how long a player who moves at random waits for a first reward.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.mdp import models, solve
from postproof.mdp.finite import FiniteMDP
from postproof.mdp.settings import Design, Race, RewardDesign

START = 0
PENALTIES = {"nothing": 0.0, "as_much": -1.0}  # for being mated, in rewards for mate
AS_OFTEN = 1e-9  # probabilities that differ by no more are equal


def add_arguments(parser) -> None:
    parser.add_argument("--race", required=True, help="params section mdp.race, as JSON")
    parser.add_argument("--settings", required=True, help="params section mdp.reward_design, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per design and discount rate")
    parser.add_argument("--out-bonus", type=Path, required=True, help="tidy CSV, a row per bonus and penalty")
    parser.add_argument("--out-feedback", type=Path, required=True, help="tidy CSV, a row per design")


def main(args) -> None:
    game, section = settings.parse(Race, args.race), settings.parse(RewardDesign, args.settings)
    tables.write(args.out, by_discount(game, section), "mdp/reward_design")
    tables.write(args.out_bonus, thresholds(game, section), "mdp/reward_design_bonus")
    tables.write(args.out_feedback, feedback(game, section), "mdp/reward_design_feedback")


def gammas(settings: RewardDesign) -> np.ndarray:
    """0, one step, two steps ... 1."""
    number = round(1 / settings.gamma_step)
    return np.arange(number + 1) / number


def by_discount(game: Race, settings: RewardDesign) -> pd.DataFrame:
    player = Player(game)
    rows = []
    for name, design in settings.designs.items():
        mdp = models.race(game, design)
        rows += [(name, gamma, *player.plays(mdp, gamma), player.most) for gamma in gammas(settings)]
    return pd.DataFrame(rows, columns=["design", "gamma", "mates", "captures", "mates_at_most"])


class Player:
    """Plays optimally for what a game rewards; its chances are those of the game itself."""

    def __init__(self, game: Race):
        self.of_mate = models.race(game, Design(mate=1, mated=0, capture=0))
        self.of_captures = models.race(game, Design(mate=0, mated=0, capture=1))
        self.most = float(solve.optimal(self.of_mate, 1)[0][START])

    def plays(self, mdp: FiniteMDP, gamma: float) -> tuple[float, float]:
        """Probability of mating, and expected captures, from the start."""
        _, q_SA = solve.optimal(mdp, gamma)
        policy_SA = solve.only(solve.greedy(q_SA).argmax(axis=1), mdp)
        return tuple(
            float(solve.evaluate(counted, policy_SA, 1)[START]) for counted in (self.of_mate, self.of_captures)
        )

    def mates_first(self, mdp: FiniteMDP, gamma: float) -> bool:
        return self.plays(mdp, gamma)[0] >= self.most - AS_OFTEN


def thresholds(game: Race, settings: RewardDesign) -> pd.DataFrame:
    """The discount from which on, up to 1, mate comes first; none where it does not at 1 either."""
    player, rows = Player(game), []
    for penalty, cost in PENALTIES.items():
        for bonus in settings.bonuses:
            mdp = models.race(game, Design(mate=1, mated=cost, capture=bonus))
            rows.append((penalty, bonus, threshold(player, mdp, settings)))
    return pd.DataFrame(rows, columns=["penalty", "bonus", "mate_first_from"])


def threshold(player: Player, mdp: FiniteMDP, settings: RewardDesign) -> float | None:
    grid = gammas(settings)
    fails = next((i for i in range(len(grid) - 1, -1, -1) if not player.mates_first(mdp, grid[i])), None)
    if fails is None:
        return 0.0
    if fails == len(grid) - 1:
        return None
    low, high = grid[fails], grid[fails + 1]
    while high - low > settings.tolerance:
        middle = (low + high) / 2
        low, high = (low, middle) if player.mates_first(mdp, middle) else (middle, high)
    return high


def feedback(game: Race, settings: RewardDesign) -> pd.DataFrame:
    """Moves to the first reward that is not 0 and to the end of the game, on average, every move at random."""
    rows = []
    for name, design in settings.designs.items():
        mdp = models.race(game, design)
        rows.append((name, moves_until(mdp, mdp.reward != 0), moves_until(mdp, np.zeros(len(mdp.reward), dtype=bool))))
    return pd.DataFrame(rows, columns=["design", "moves_to_reward", "moves_to_end"])


def moves_until(mdp: FiniteMDP, stops_O: np.ndarray) -> float:
    """Expected moves from the start until an outcome that stops, or the end: v_pi with a reward of 1 for each move."""
    end = int(np.flatnonzero(mdp.terminal)[0])
    stopped = FiniteMDP(mdp.states, mdp.actions, mdp.state, mdp.action, np.where(stops_O, end, mdp.next_state),
                        np.ones(len(mdp.reward)), mdp.probability, mdp.terminal)  # fmt: skip
    return float(solve.evaluate(stopped, solve.uniform(stopped), 1)[START])
