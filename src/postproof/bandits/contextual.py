"""The post's two cases and two actions, seen and unseen: what can be expected, and what agents learn.

Which case comes at a step is drawn with equal chances.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.bandits import runs
from postproof.bandits.agents import Contextual as Seeing
from postproof.bandits.agents import EpsilonGreedy
from postproof.bandits.games import Contexts
from postproof.bandits.settings import ContextualOnTestbed
from postproof.core import settings, tables


def add_arguments(parser) -> None:
    parser.add_argument("--settings", nargs=2, required=True, help="params sections testbed and contextual, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per agent and window of steps")
    parser.add_argument("--out-policies", type=Path, required=True, help="tidy CSV, a row per fixed policy")


def main(args) -> None:
    of = settings.parse(ContextualOnTestbed, *args.settings)
    contexts = Contexts(of.values, of.problems, of.steps, math.sqrt(of.contextual_variance))
    situations, arms = len(of.values), contexts.arms
    agents = {
        "blind": EpsilonGreedy(arms, of.contextual_epsilon),
        "blind_optimistic": EpsilonGreedy(arms, 0.0, None, of.contextual_start),
        "seeing": Seeing(situations, arms, of.contextual_epsilon),
        "seeing_optimistic": Seeing(situations, arms, 0.0, of.contextual_start),
    }
    run = runs.run(agents, contexts, of.seed, runs.window_edges(of.steps, of.contextual_windows))
    tables.write(args.out, runs.curves(run), "bandits/contextual")
    tables.write(args.out_policies, policies(of), "bandits/contextual_policies")


def policies(of: ContextualOnTestbed) -> pd.DataFrame:
    """Expected rewards: of always the same action, of actions at random, of the best action in each case."""
    values_SK = np.array(of.values, float)
    expected_K = values_SK.sum(axis=0) / len(values_SK)
    rows = [{"policy": f"action_{arm}", "expected": value} for arm, value in enumerate(expected_K.tolist(), start=1)]
    best = math.fsum(values_SK.max(axis=1)) / len(values_SK)
    rows += [
        {"policy": "random", "expected": math.fsum(expected_K) / len(expected_K)},
        {"policy": "best_blind", "expected": max(expected_K.tolist())},
        {"policy": "best_seeing", "expected": best},
    ]
    return pd.DataFrame(rows)
