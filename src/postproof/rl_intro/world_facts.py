"""What the world of rl_intro asks of an agent, before anything is learned: exact, from its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.mdp import finite, solve
from postproof.rl_intro import exact, worlds
from postproof.rl_intro.settings import Learning


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section rl_intro.learning, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="CSV of one row")


def main(args) -> None:
    tables.write(args.out, facts(settings.parse(Learning, args.settings)), "rl_intro/world_facts")


def facts(settings: Learning) -> pd.DataFrame:
    env = worlds.make(settings.world)
    mdp, starts, gamma = finite.from_gymnasium(env), worlds.starts(env), settings.discount
    acting = exact.acting_states(mdp, starts)
    v_S, q_SA = solve.optimal(mdp, gamma)
    rewards_SA, best_SA = mdp.expected_rewards_SA(), solve.greedy(q_SA)
    exploring_SA = exact.epsilon_greedy(q_SA, settings.epsilon)
    # Of a state with rewards alone: are the actions with the largest reward right, and told from wrong ones?
    told_S = ~(solve.greedy(rewards_SA) & ~best_SA).any(axis=1) & ~best_SA.all(axis=1)
    policies = {"random_return": solve.uniform(mdp), "myopic_return": exact.greedy_policy(rewards_SA),
                "exploring_return": exploring_SA}  # fmt: skip
    remembering, A = exact.with_memory(mdp), len(mdp.actions)
    with_memory_SA = solve.optimal(remembering, gamma)[0].reshape(-1, A)
    return pd.DataFrame([{
        "world": settings.world, "states": len(acting), "told_states": int(told_S[acting].sum()),
        "pairs": int(mdp.available_SA[acting].sum()), "rewarded_pairs": int((rewards_SA[acting] != 0).sum()),
        "fewest_steps": exact.fewest_steps(mdp)[starts].mean(),
        "random_steps": exact.expected_steps(mdp, policies["random_return"])[starts].mean(),
        "exploring_steps": exact.expected_steps(mdp, exploring_SA)[starts].mean(),
        "best_return": v_S[starts].mean(),
        **{name: exact.expected_return(mdp, policy_SA, gamma, starts) for name, policy_SA in policies.items()},
        "memory_gain": np.abs(with_memory_SA - v_S[:, None]).max(),
    }])  # fmt: skip
