"""What exploring is worth when rewards are noisier, or not noisy at all.

`tries_first` is greedy by sample averages from a start above all values: the first reward of an arm replaces the start
whole, so that it pulls every arm once and then stays greedy. With no noise it knows all values by then.
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from postproof.bandits import runs
from postproof.bandits.agents import EpsilonGreedy
from postproof.bandits.games import Problems
from postproof.bandits.settings import NoiseOnTestbed
from postproof.core import settings, tables

STRETCHES = ("first", "all")
ABOVE_ALL = 1e6  # a start that no reward comes near


def add_arguments(parser) -> None:
    parser.add_argument("--settings", nargs=2, required=True, help="params sections testbed and noise, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per variance, agent and stretch")


def main(args) -> None:
    of = settings.parse(NoiseOnTestbed, *args.settings)
    tables.write(args.out, pd.concat([scores(of, variance) for variance in of.variances]), "bandits/noise")


def scores(of: NoiseOnTestbed, variance: float) -> pd.DataFrame:
    """Rewards of each agent, and how much more that is than each greedy one's on the same problems."""
    explorers = {f"epsilon_{epsilon:g}": EpsilonGreedy(of.arms, epsilon) for epsilon in of.epsilons}
    greedy = {"greedy": EpsilonGreedy(of.arms, 0.0), "tries_first": EpsilonGreedy(of.arms, 0.0, None, ABOVE_ALL)}
    agents = greedy | explorers
    problems = Problems(of.noise_problems, of.noise_steps, of.arms, reward_sd=math.sqrt(variance))
    run = runs.run(agents, problems, of.seed, runs.window_edges(of.noise_steps, of.windows_per_decade))
    score = runs.scores(run).query("stretch in @STRETCHES")
    steps = score["stretch"].map({name: run.edges[part.stop] for name, part in run.stretches().items()})
    table = pd.DataFrame({
        "variance": variance, "agent": score["agent"], "stretch": score["stretch"], "steps": steps,
        "epsilon": score["agent"].map({name: agent.epsilon for name, agent in agents.items()}),
        "reward": score["reward"],
    })  # fmt: skip
    for against in greedy:
        duels = runs.duels(run, [(name, against) for name in agents]).query("measure == 'reward'")
        gaps = table[["agent", "stretch"]].merge(duels, on=["agent", "stretch"])
        for column, bound in (("", "difference"), ("_low", "low"), ("_high", "high")):
            table[f"over_{against}{column}"] = gaps[bound].to_numpy()
    return table
