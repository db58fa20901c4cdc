"""Acting on v*: the next state's value alone, against reward and discounted value.

The post picks "actions that maximize the expected value of the next state", sum over s' of p(s' | s, a) v*(s'). What is
optimal is sum over s' and r of p(s', r | s, a) [r + gamma v*(s')] (eq. 3.19), a search one step ahead with the reward
in it. Ties are broken evenly. Of each MDP: in how many of its states that are not terminal the post's rule may take an
action that is not optimal, and how much it loses there on average, in shares of what v* gains over the equiprobable
policy: 0 is optimal, 1 no better than chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.mdp import models, solve
from postproof.mdp.finite import FiniteMDP
from postproof.mdp.settings import ActingOnV

NOISE = 1e-9  # rounding, in shares


def add_arguments(parser) -> None:
    models.add_arguments(parser)
    parser.add_argument("--settings", required=True, help="params section mdp.acting_on_v, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per MDP, way and discount rate")


def main(args) -> None:
    named, drawn = models.of_sections(args)
    tables.write(args.out, acted(named, drawn, settings.parse(ActingOnV, args.settings)), "mdp/acting_on_v")


def acted(found: dict[str, FiniteMDP], drawn: list[tuple[int, FiniteMDP]], settings: ActingOnV) -> pd.DataFrame:
    rows = []
    for gamma in settings.gammas:
        for name, mdp in found.items():
            rows += [(name, None, gamma, *row) for row in ways(mdp, gamma)]
        for name, change in (("random", lambda mdp: mdp), ("random_state_rewards", models.of_state_alone)):
            of_seed: dict[int, list] = {}
            for seed, mdp in drawn:
                of_seed.setdefault(seed, []).append(list(ways(change(mdp), gamma)))
            for seed, found_ways in of_seed.items():
                for each in zip(*found_ways):  # one way, over the MDPs of the seed
                    numbers = np.mean([row[1:] for row in each], axis=0)
                    rows.append((name, seed, gamma, each[0][0], *numbers))
    return pd.DataFrame(rows, columns=["mdp", "seed", "gamma", "way", "states", "share_other", "share_lost"])


def ways(mdp: FiniteMDP, gamma: float) -> Iterator[tuple[str, int, float, float]]:
    """Way, states that are not terminal, share of them with an action that is not optimal, share of the gain lost."""
    v_S, q_SA = solve.optimal(mdp, gamma)
    live_S = ~mdp.terminal
    best_SA = solve.greedy(q_SA)
    gain = (v_S - solve.evaluate(mdp, solve.uniform(mdp), gamma))[live_S].mean()
    for way, score_SA in (("next_value", next_values(mdp, v_S)), ("look_ahead", solve.action_values(mdp, v_S, gamma))):
        taken_SA = solve.greedy(score_SA) & mdp.available_SA
        policy_SA = taken_SA / np.maximum(1, taken_SA.sum(axis=1, keepdims=True))
        other_S = (taken_SA & ~best_SA).any(axis=1)
        lost = (v_S - solve.evaluate(mdp, policy_SA, gamma))[live_S].mean()
        yield way, int(live_S.sum()), float(other_S[live_S].mean()), rounded(lost / gain)


def rounded(share: float) -> float:
    """0 for what is rounding only."""
    return 0.0 if abs(share) < NOISE else float(share)


def next_values(mdp: FiniteMDP, v_S: np.ndarray) -> np.ndarray:
    """sum over s' of p(s' | s, a) v(s'): (S, A), -inf where there is no such action."""
    value_SA = (mdp.transitions_XS @ v_S).reshape(mdp.available_SA.shape)
    return np.where(mdp.available_SA | mdp.terminal[:, None], value_SA, -np.inf)
