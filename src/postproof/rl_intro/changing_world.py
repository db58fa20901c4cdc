"""Agents in a maze that changes while they act: where their way is blocked, and where a shorter one opens.

No agent is told of the change. Sources: Sutton and Barto, Reinforcement Learning, 2nd ed., section 8.3, examples 8.2
(blocking) and 8.3 (shortcut): the maps, the steps and the change; Dyna-Q+ with its bonus.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.mdp import finite
from postproof.rl_intro import exact, learners, worlds
from postproof.rl_intro.settings import Change, ChangingWorld

WORLDS = {"blocking": worlds.BLOCKING, "shortcut": worlds.SHORTCUT}
AGENTS = ("q_learning", "dyna_q", "dyna_q_plus")


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, nargs=2, help="params sections rl_intro.learning, .changing_world")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per world, agent, seed and checkpoint")
    parser.add_argument("--out-adapted", type=Path, required=True, help="tidy CSV, a row per world, agent and seed")


def main(args) -> None:
    wanted = settings.parse(ChangingWorld, *args.settings)
    runs = [(world, agent, seed) for world in WORLDS for agent in AGENTS for seed in wanted.seeds]
    rewards = [run(world, agent, seed, wanted) for world, agent, seed in runs]
    curves = [curve(*key, got, wanted) for key, got in zip(runs, rewards)]
    tables.write(args.out, pd.concat(curves, ignore_index=True), "rl_intro/changing_world")
    adapted = [adaptation(*key, got, wanted) for key, got in zip(runs, rewards)]
    tables.write(args.out_adapted, pd.DataFrame(adapted), "rl_intro/adaptation")


def change_of(world: str, settings: ChangingWorld) -> Change:
    return {"blocking": settings.blocking, "shortcut": settings.shortcut}[world]


def make_agent(agent: str, seed: int, env: gymnasium.Env, change: Change, rates: ChangingWorld) -> learners.QLearning:
    acting, planning = learners.generators(seed)
    size = int(env.observation_space.n), int(env.action_space.n)
    if agent == "q_learning":
        made = learners.QLearning(*size, rates, acting)
    elif agent == "dyna_q":
        made = learners.DynaQ(*size, rates, acting, planning_steps=change.planning_steps, planning_rng=planning)
    else:
        made = learners.DynaQPlus(*size, rates, acting, planning_steps=change.planning_steps, planning_rng=planning,
                                  bonus=change.bonus)  # fmt: skip
    made.alpha = rates.change_step_size
    return made


def run(world: str, agent: str, seed: int, settings: ChangingWorld) -> list[float]:
    """The reward of each step."""
    change = change_of(world, settings)
    env = worlds.make(WORLDS[world], change_after=change.change_after, max_episode_steps=settings.longest_episode)
    got = learners.steps(env, make_agent(agent, seed, env, change, settings), seed)
    return [reward for reward, _ in itertools.islice(got, change.steps)]


def curve(world: str, agent: str, seed: int, rewards: list[float], settings: ChangingWorld) -> pd.DataFrame:
    """Rewards so far, at every checkpoint from 0 on."""
    so_far = np.concatenate([[0.0], np.cumsum(rewards)])
    step = np.arange(0, len(so_far), settings.checkpoint_steps)
    return pd.DataFrame({"world": world, "agent": agent, "seed": seed, "step": step, "reward": so_far[step]})


def adaptation(world: str, agent: str, seed: int, rewards: list[float], settings: ChangingWorld) -> dict:
    """What an agent made of the change: whether an episode after it was near the shortest way on the new map, and
    whether the median episode of the last tenth of all steps was.
    """
    change = change_of(world, settings)
    env = worlds.make(WORLDS[world], change_after=change.change_after).unwrapped
    before, after = (exact.fewest_steps(finite.from_gymnasium(of))[env.start] for of in (env, env.later))
    begins = np.concatenate([[0], np.flatnonzero(rewards) + 1])  # an episode begins where the one before has ended
    lengths, near = np.diff(begins), settings.adapted_within * after
    since, late = lengths[begins[:-1] >= change.change_after], lengths[begins[1:] > len(rewards) * 9 // 10]
    return {
        "world": world, "agent": agent, "seed": seed, "change_after": change.change_after,
        "shortest_before": int(before), "shortest_after": int(after),
        "found": int((since <= near).any()), "adapted": int(len(late) > 0 and np.median(late) <= near),
    }  # fmt: skip
