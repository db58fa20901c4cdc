"""What a discount rate does: the weight of a reward k steps ahead, how far one looks, and G_t = R_t+1 + gamma G_t+1.

Equations 3.8 to 3.10 of Sutton and Barto, 2nd ed. With a reward of 1 at every step the return is the sum of weights,
1 / (1 - gamma); with gamma = 1 it grows with every step and has no limit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.mdp.settings import Discounting


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section mdp.discounting, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per discount rate")
    parser.add_argument("--out-steps", type=Path, required=True, help="tidy CSV, a row per discount rate and step")


def main(args) -> None:
    section = settings.parse(Discounting, args.settings)
    tables.write(args.out, rates(section), "mdp/discounting")
    tables.write(args.out_steps, steps(section), "mdp/discounting_steps")


def rates(settings: Discounting) -> pd.DataFrame:
    """How far each rate looks, and by how much the recursion misses the sum on random rewards."""
    reward_T = np.random.Generator(np.random.SFC64(settings.seed)).standard_normal(settings.rewards)
    rows = []
    for gamma in settings.gammas:
        steps_to_half = np.log(0.5) / np.log(gamma) if 0 < gamma < 1 else None
        sums_T, recursive_T = returns_by_sum(reward_T, gamma), returns(reward_T, gamma)
        rows.append({
            "gamma": gamma, "horizon": 1 / (1 - gamma) if gamma < 1 else None, "steps_to_half": steps_to_half,
            "next_weight": gamma, "recursion_error": np.abs(sums_T - recursive_T).max(),
            "absorbing_error": np.abs(returns_by_sum(np.append(reward_T, np.zeros(len(reward_T))), gamma)
                                      [: len(reward_T)] - sums_T).max(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def returns(reward_T: np.ndarray, gamma: float) -> np.ndarray:
    """G_t of an episode by G_t = R_t+1 + gamma G_t+1 (eq. 3.9), from its end backward; `reward_T[t]` is R_t+1."""
    return_T = np.zeros(len(reward_T) + 1)
    for t in range(len(reward_T) - 1, -1, -1):
        return_T[t] = reward_T[t] + gamma * return_T[t + 1]
    return return_T[:-1]


def returns_by_sum(reward_T: np.ndarray, gamma: float) -> np.ndarray:
    """G_t = sum over k of gamma^k R_t+k+1 (eq. 3.8), each term by itself. 0^0 is 1."""
    weight_T = gamma ** np.arange(len(reward_T), dtype=float)
    return np.array([(weight_T[: len(reward_T) - t] * reward_T[t:]).sum() for t in range(len(reward_T))])


def steps(settings: Discounting) -> pd.DataFrame:
    """Weight of the reward k steps after the next, and the return of the first rewards up to it, all of them 1."""
    k = np.arange(settings.steps + 1)
    parts = []
    for gamma in settings.gammas:
        weight_K = float(gamma) ** k
        parts.append(pd.DataFrame({"gamma": gamma, "step": k, "weight": weight_K, "return_so_far": weight_K.cumsum()}))
    return pd.concat(parts, ignore_index=True)
