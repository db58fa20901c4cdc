"""Where learning ends: Q-learning and Sarsa with steps that decrease, against the exact values of both limits.

Both act with the same epsilon, which never decreases. Q-learning is to come to q*, the values of acting greedily
(section 6.5 of Sutton and Barto, 2nd ed.); Sarsa to those of the best policy that goes on exploring (section 5.4).
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.mdp import finite, solve
from postproof.rl_intro import exact, learners, worlds
from postproof.rl_intro.settings import Limits

LEARNERS = {"q_learning": learners.DecreasingQLearning, "sarsa": learners.DecreasingSarsa}


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, nargs=2, help="params sections rl_intro.learning, .limits")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per agent, seed and checkpoint")


def main(args) -> None:
    tables.write(args.out, limits(settings.parse(Limits, *args.settings)), "rl_intro/limits")


def limits(settings: Limits) -> pd.DataFrame:
    """Largest distance of what is learned from q* and from the values of the best exploring policy."""
    env = worlds.make(settings.limit_world, max_episode_steps=settings.longest_episode)
    mdp = finite.from_gymnasium(env)
    acting = exact.acting_states(mdp, worlds.starts(env))
    _, greedy_SA = solve.optimal(mdp, settings.discount)
    exploring_SA = exact.best_exploring(mdp, settings.exploring, settings.discount)
    rates = dataclasses.replace(settings, epsilon=settings.exploring)
    rows = []
    for (name, learner), seed in itertools.product(LEARNERS.items(), settings.limit_seeds):
        agent = learner(int(env.observation_space.n), int(env.action_space.n), rates, learners.generators(seed)[0],
                        power=settings.power)  # fmt: skip
        taken = enumerate(learners.steps(env, agent, seed), start=1)
        for step, _ in itertools.islice(taken, settings.checkpoints[-1]):
            if step in settings.checkpoints:
                q_SA = np.array(agent.q_SA)[acting]
                rows.append({"world": settings.limit_world, "agent": name, "seed": seed, "step": step,
                             "to_greedy": np.abs(q_SA - greedy_SA[acting]).max(),
                             "to_exploring": np.abs(q_SA - exploring_SA[acting]).max(),
                             "between": np.abs(greedy_SA - exploring_SA)[acting].max()})  # fmt: skip
    return pd.DataFrame(rows)
