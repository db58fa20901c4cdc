"""Q-learning in one world with one thing taken away or put in another's place: what does learning need?

    as_it_is          epsilon-greedy, discounted
    no_exploration    always greedy, ties at random
    optimistic        always greedy, but every action is thought good before it is tried (section 2.6)
    only_exploration  always random: it learns of the greedy policy all the same (off-policy)
    no_foresight      discount 0: the value of an action is its reward
    no_discount       discount 1: the return is the plain sum of rewards
    no_values         REINFORCE in place of Q-learning: preferences for actions, no value of anything

Source: Sutton and Barto, Reinforcement Learning, 2nd ed., sections 1.1, 1.3, 2.6, 6.5 and 13.3.
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
NO_VALUES = "no_values"


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
    for variant, seed in itertools.product((*CHANGED, NO_VALUES), settings.seeds):
        agent = make_agent(variant, size, settings, learners.generators(seed)[0])
        rewards = [reward for reward, _ in itertools.islice(learners.steps(env, agent, seed), settings.trained_steps)]
        preferred_SA = agent.preference_SA if isinstance(agent, learners.Reinforce) else agent.q_SA
        policy_SA = exact.greedy_policy(exact.on_states(np.array(preferred_SA), mdp))
        rows.append({"variant": variant, "seed": seed, "late_reward": np.mean(rewards[-late:]),
                     "greedy_return": exact.expected_return(mdp, policy_SA, settings.discount, starts)})  # fmt: skip
    return pd.DataFrame(rows)


def make_agent(variant: str, size: tuple[int, int], settings: WhatIsNeeded, rng: np.random.Generator) -> learners.Agent:
    if variant == NO_VALUES:
        return learners.Reinforce(*size, settings.preference_step, settings.discount, rng)
    first_value = settings.optimistic_value if variant == "optimistic" else 0.0
    return learners.QLearning(*size, dataclasses.replace(settings, **CHANGED[variant]), rng, first_value)
