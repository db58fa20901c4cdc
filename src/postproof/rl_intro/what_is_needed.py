"""Q-learning in one world with one thing taken away or put in another's place: what does learning need?

    as_it_is          epsilon-greedy, discounted
    no_exploration    always greedy, ties at random
    optimistic        always greedy, but every action is thought good before it is tried (section 2.6)
    only_exploration  always random: it learns of the greedy policy all the same (off-policy)
    no_foresight      discount 0: the value of an action is its reward
    no_discount       discount 1: the return is the plain sum of rewards

Source: Sutton and Barto, Reinforcement Learning, 2nd ed., sections 1.1, 1.3, 2.6 and 6.5.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.mdp import finite
from postproof.rl_intro import exact, learners, worlds
from postproof.rl_intro.settings import WhatIsNeeded

CHANGED = {
    "as_it_is": {},
    "no_exploration": {"epsilon": 0.0},
    "optimistic": {"epsilon": 0.0},
    "only_exploration": {"epsilon": 1.0},
    "no_foresight": {"discount": 0.0},
    "no_discount": {"discount": 1.0},
}


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, nargs=2, help="params sections rl_intro.learning, .what_is_needed")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per variant and seed")


def main(args) -> None:
    tables.write(args.out, outcomes(settings.parse(WhatIsNeeded, *args.settings)), "rl_intro/what_is_needed")


def outcomes(settings: WhatIsNeeded) -> pd.DataFrame:
    """Of each variant and seed, after as many steps as all others: the reward per step over the last tenth of them, and
    what the greedy policy is worth, discounted.
    """
    env = worlds.make(settings.world, max_episode_steps=settings.longest_episode)
    mdp, starts = finite.from_gymnasium(env), worlds.starts(env)
    size, late = (int(env.observation_space.n), int(env.action_space.n)), -(-settings.trained_steps // 10)
    rows = []
    for (variant, changed), seed in itertools.product(CHANGED.items(), settings.seeds):
        agent = learners.QLearning(
            *size, dataclasses.replace(settings, **changed), learners.generators(seed)[0],
            first_value=settings.optimistic_value if variant == "optimistic" else 0.0,
        )  # fmt: skip
        rewards = [reward for reward, _ in itertools.islice(learners.steps(env, agent, seed), settings.trained_steps)]
        policy_SA = exact.greedy_policy(exact.on_states(np.array(agent.q_SA), mdp))
        rows.append({"variant": variant, "seed": seed, "late_reward": np.mean(rewards[-late:]),
                     "greedy_return": exact.expected_return(mdp, policy_SA, settings.discount, starts)})  # fmt: skip
    return pd.DataFrame(rows)
