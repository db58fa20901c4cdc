"""Agents on values that change: a random walk of all of them (book, exercise 2.5), and two changes half-way.

In `switch` all values are drawn anew, so that the arm which was best gives less as a rule, and who pulls it notices. In
`rise` the worst arm becomes the best one and all others stay: only who still pulls bad arms can notice.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.bandits import runs
from postproof.bandits.agents import EpsilonGreedy, Gradient, UpperConfidence
from postproof.bandits.games import Problems
from postproof.bandits.plays import Agent
from postproof.bandits.settings import NonstationaryOnTestbed
from postproof.core import settings, tables

PAIRS = [
    ("realistic", "large_epsilon"),
    ("realistic", "greedy"),
    ("realistic", "optimistic"),
    ("realistic", "ucb"),
    ("realistic", "gradient"),
    ("ucb_constant", "ucb"),
    ("ucb_constant", "realistic"),
    ("optimistic", "greedy_constant"),
]


def add_arguments(parser) -> None:
    parser.add_argument("--settings", nargs=3, required=True, help="sections testbed, agents and nonstationary, JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per kind, agent and window of steps")
    parser.add_argument("--out-scores", type=Path, required=True, help="tidy CSV, a row per kind, agent and stretch")
    parser.add_argument("--out-duels", type=Path, required=True, help="tidy CSV, a row per kind, pair and stretch")


def main(args) -> None:
    of = settings.parse(NonstationaryOnTestbed, *args.settings)
    results = {}
    for kind, problems in kinds(of).items():
        edges = runs.window_edges(problems.steps, of.windows_per_decade)
        results[kind] = runs.run(agents(of, problems.steps), problems, of.seed, edges)
    outputs = {
        "bandits/nonstationary": (args.out, runs.curves),
        "bandits/nonstationary_scores": (args.out_scores, runs.scores),
        "bandits/nonstationary_duels": (args.out_duels, lambda run: runs.duels(run, PAIRS)),
    }
    for name, (path, make) in outputs.items():
        parts = [make(run) for run in results.values()]
        for kind, part in zip(results, parts):
            part.insert(0, "kind", kind)
        tables.write(path, pd.concat(parts, ignore_index=True), name)


def kinds(of: NonstationaryOnTestbed) -> dict[str, Problems]:
    reward_sd = math.sqrt(of.reward_variance)
    return {
        "drifting": Problems(of.drifting_problems, of.drifting_steps, of.arms, value_sd=0.0, reward_sd=reward_sd,
                             walk_sd=of.walk_sd),
        "switch": Problems(of.problems, of.switch_steps, of.arms, reward_sd=reward_sd, situations=2),
        "rise": Problems(of.problems, of.switch_steps, of.arms, reward_sd=reward_sd, situations=2, rise=of.rise),
    }  # fmt: skip


def agents(of: NonstationaryOnTestbed, steps: int) -> dict[str, Agent]:
    log_T = np.log(np.arange(1, steps + 1)).tolist()
    return {
        "greedy": EpsilonGreedy(of.arms, 0.0),
        "greedy_constant": EpsilonGreedy(of.arms, 0.0, of.step_size),
        "large_epsilon": EpsilonGreedy(of.arms, of.large_epsilon),
        "realistic": EpsilonGreedy(of.arms, of.large_epsilon, of.step_size),
        "optimistic": EpsilonGreedy(of.arms, 0.0, of.step_size, of.optimistic_start),
        "ucb": UpperConfidence(of.arms, of.c, log_T),
        "ucb_constant": UpperConfidence(of.arms, of.c, log_T, of.step_size),
        "gradient": Gradient(of.arms, of.gradient_step_sizes[0]),
    }
