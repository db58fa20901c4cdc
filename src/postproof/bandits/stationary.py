"""Every agent of the post on the testbed, over a run of the posted length: curves, scores and duels.

Gradient agents play problems whose values lie around another mean: there a baseline matters. Their rewards are given
less that mean.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.bandits import runs
from postproof.bandits.agents import EpsilonGreedy, Gradient, UpperConfidence
from postproof.bandits.games import Problems, blocks
from postproof.bandits.plays import Agent, play
from postproof.bandits.settings import OnTestbed
from postproof.core import settings, tables

PAIRS = [
    ("small_epsilon", "greedy"),
    ("large_epsilon", "greedy"),
    ("large_epsilon", "small_epsilon"),
    ("optimistic", "realistic"),
    ("optimistic_average", "large_epsilon"),
    ("optimistic_average", "greedy"),
    ("ucb", "large_epsilon"),
]
GRADIENT_PAIRS = [
    (f"gradient_{speed}_{baseline}", f"gradient_{speed}_{other}")
    for speed in ("slow", "fast")
    for baseline, other in (("before", "none"), ("through", "before"))
]
MOST_TRIES = 5


def add_arguments(parser) -> None:
    parser.add_argument("--settings", nargs=2, required=True, help="params sections testbed and agents, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per agent and window of steps")
    parser.add_argument("--out-scores", type=Path, required=True, help="tidy CSV, a row per agent and stretch")
    parser.add_argument("--out-duels", type=Path, required=True, help="tidy CSV, a row per pair, stretch and measure")
    parser.add_argument("--out-tries", type=Path, required=True, help="tidy CSV, a row per agent and number of tries")


def main(args) -> None:
    of = settings.parse(OnTestbed, *args.settings)
    edges = runs.window_edges(of.steps, of.windows_per_decade)
    near, far = (runs.run(agents, problems, of.seed, edges) for agents, problems in
                 ((value_agents(of), testbed(of)), (gradient_agents(of), testbed(of, of.gradient_mean))))  # fmt: skip
    curves, scores = (
        pd.concat([make(near), less(make(far), of.gradient_mean)], ignore_index=True)
        for make in (runs.curves, runs.scores)
    )
    duels = [runs.duels(near, PAIRS), runs.duels(far, GRADIENT_PAIRS)]
    curves.insert(1, "parameter", curves["agent"].map(parameters(of)))
    tables.write(args.out, curves, "bandits/stationary")
    tables.write(args.out_scores, scores, "bandits/stationary_scores")
    tables.write(args.out_duels, pd.concat(duels, ignore_index=True), "bandits/stationary_duels")
    tables.write(args.out_tries, tries(of), "bandits/optimistic_tries")


def testbed(of: OnTestbed, mean: float = 0.0) -> Problems:
    return Problems(of.problems, of.steps, of.arms, mean, reward_sd=math.sqrt(of.reward_variance))


def value_agents(of: OnTestbed) -> dict[str, Agent]:
    log_T = np.log(np.arange(1, of.steps + 1)).tolist()
    return {
        "greedy": EpsilonGreedy(of.arms, 0.0),
        "small_epsilon": EpsilonGreedy(of.arms, of.small_epsilon),
        "large_epsilon": EpsilonGreedy(of.arms, of.large_epsilon),
        "realistic": EpsilonGreedy(of.arms, of.large_epsilon, of.step_size),
        "optimistic": EpsilonGreedy(of.arms, 0.0, of.step_size, of.optimistic_start),
        "optimistic_average": EpsilonGreedy(of.arms, 0.0, None, of.optimistic_start),
        "ucb": UpperConfidence(of.arms, of.c, log_T),
    }


def gradient_agents(of: OnTestbed) -> dict[str, Agent]:
    return {
        f"gradient_{speed}_{baseline}": Gradient(of.arms, step_size, baseline)
        for speed, step_size in zip(("slow", "fast"), of.gradient_step_sizes)
        for baseline in ("before", "through", "none")
    }


def parameters(of: OnTestbed) -> dict[str, float]:
    """What a chart names each agent by: epsilon, the start, c or the step size."""
    named = {"greedy": 0.0, "small_epsilon": of.small_epsilon, "large_epsilon": of.large_epsilon,
             "realistic": of.large_epsilon, "optimistic": of.optimistic_start,
             "optimistic_average": of.optimistic_start, "ucb": of.c}  # fmt: skip
    return named | {name: agent.step_size for name, agent in gradient_agents(of).items()}


def less(table: pd.DataFrame, mean: float) -> pd.DataFrame:
    return table.assign(reward=table["reward"] - mean)


def tries(of: OnTestbed) -> pd.DataFrame:
    """In which share of the problems each agent without random exploration has tried every arm so often, early on."""
    agents = {name: agent for name, agent in value_agents(of).items() if name.startswith(("greedy", "optimistic"))}
    fewest: dict[str, list[np.ndarray]] = {name: [] for name in agents}
    for games in blocks(testbed(of), of.seed):
        for name, agent in agents.items():
            arm_BT = play(agent, games).arm_BT[:, : of.early_steps]
            pulls_KB = np.stack([(arm_BT == arm).sum(axis=1) for arm in range(of.arms)])
            fewest[name].append(pulls_KB.min(axis=0))
    rows = [
        {"agent": name, "tries": n, "share": np.count_nonzero(np.concatenate(parts) >= n) / of.problems}
        for name, parts in fewest.items()
        for n in range(1, MOST_TRIES + 1)
    ]
    return pd.DataFrame(rows)
