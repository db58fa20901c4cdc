"""How long a learner takes when only the end is rewarded, and when each step says whether it leads there.

Q-learning (Sutton and Barto, 2nd ed., eq. 6.8) in a corridor: from the first cell one step right at a time to a goal
that gives 1. With `progress` a step right gives 1 / length more and a step left as much less, which leaves the best
policy as it is. It has learnt when from every cell the greedy move is right; what counts is moves until the end of that
episode.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.core.errors import DataError
from postproof.mdp.settings import SparseReward

LEFT, RIGHT = 0, 1
REWARDS = ("sparse", "progress")


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section mdp.sparse_reward, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per reward, length and seed")


def main(args) -> None:
    tables.write(args.out, learnt(settings.parse(SparseReward, args.settings)), "mdp/sparse_reward")


def learnt(settings: SparseReward) -> pd.DataFrame:
    rows = []
    for reward in REWARDS:
        for length in settings.lengths:
            for seed in settings.seeds:
                rng = np.random.Generator(np.random.SFC64(seed))
                rows.append((reward, length, seed, moves_to_learn(rng, length, reward == "progress", settings)))
    return pd.DataFrame(rows, columns=["reward", "length", "seed", "moves"])


def moves_to_learn(rng: np.random.Generator, length: int, progress: bool, settings: SparseReward) -> int:
    """Raises DataError when it has not learnt within the settings' most moves."""
    q_SA = [[0.0, 0.0] for _ in range(length + 1)]  # the last is the goal
    bonus = 1 / length if progress else 0.0
    moves = 0
    while True:
        s = 0
        while s < length:
            left, right = q_SA[s]
            if left == right or rng.random() < settings.epsilon:
                a = RIGHT if rng.random() < 0.5 else LEFT
            else:
                a = RIGHT if right > left else LEFT
            after = s + 1 if a == RIGHT else max(s - 1, 0)
            reward = (after == length) + bonus * (after - s)
            # Q(S, A) += alpha [R + gamma max_a Q(S', a) - Q(S, A)] (eq. 6.8)
            q_SA[s][a] += settings.alpha * (reward + settings.gamma * max(q_SA[after]) - q_SA[s][a])
            s, moves = after, moves + 1
            if moves > settings.most_moves:
                raise DataError("has not learnt", length=length, value=moves, allowed=f"{settings.most_moves} moves",
                                remedy="raise mdp.sparse_reward.most_moves, or shorten lengths")  # fmt: skip
        if all(q_SA[cell][RIGHT] > q_SA[cell][LEFT] for cell in range(length)):
            return moves
