"""Greedy and epsilon-greedy agents on the testbed, far longer than in the post: where does little exploration win?

At the end of all learning an agent pulls the best arm in 1 - epsilon + epsilon / k of the steps: that cap, and the
reward that belongs to it, stand in the table of caps.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.bandits import runs
from postproof.bandits.agents import EpsilonGreedy
from postproof.bandits.games import Problems
from postproof.bandits.runs import MEASURES, SIGMAS, Run, mean_and_error
from postproof.bandits.settings import LongRunOnTestbed
from postproof.bandits.testbed import expected_best
from postproof.core import settings, tables

SMALL, LARGE = "small_epsilon", "large_epsilon"


def add_arguments(parser) -> None:
    parser.add_argument("--settings", nargs=3, required=True, help="sections testbed, agents and long_run, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per agent and window of steps")
    parser.add_argument("--out-crossing", type=Path, required=True, help="tidy CSV, a row per measure and reading")
    parser.add_argument("--out-caps", type=Path, required=True, help="tidy CSV, a row per agent")


def main(args) -> None:
    of = settings.parse(LongRunOnTestbed, *args.settings)
    problems = Problems(of.problems, of.long_steps, of.arms, reward_sd=math.sqrt(of.reward_variance))
    agents = {name: EpsilonGreedy(of.arms, epsilon) for name, epsilon in epsilons(of).items()}
    # An edge at the posted number of steps: what is said of such a run can be read off.
    edges = np.unique(np.append(runs.window_edges(of.long_steps, of.windows_per_decade), of.steps))
    run = runs.run(agents, problems, of.seed, edges)
    table = runs.curves(run)
    table.insert(1, "epsilon", table["agent"].map(epsilons(of)))
    tables.write(args.out, table, "bandits/epsilon_greedy")
    tables.write(args.out_crossing, crossings(run), "bandits/epsilon_greedy_crossing")
    tables.write(args.out_caps, caps(of), "bandits/epsilon_greedy_caps")


def epsilons(of: LongRunOnTestbed) -> dict[str, float]:
    return {"greedy": 0.0, SMALL: of.small_epsilon, LARGE: of.large_epsilon}


def caps(of: LongRunOnTestbed) -> pd.DataFrame:
    """Exploring, the values of the arms average to 0."""
    rows = []
    for name, epsilon in epsilons(of).items():
        reward = (1 - epsilon) * expected_best(of.arms)
        rows.append({"agent": name, "best_share_cap": 1 - epsilon + epsilon / of.arms, "reward_cap": reward})
    return pd.DataFrame(rows)


def crossings(run: Run) -> pd.DataFrame:
    """From which window on the small epsilon is ahead for good, on average and beyond doubt."""
    length_W = np.diff(run.edges)
    rows = []
    for measure, small_PW, large_PW in zip(MEASURES, run.sums[SMALL], run.sums[LARGE]):
        gap_PW = small_PW - large_PW
        readings = {"at_step": gap_PW / length_W, "so_far": np.cumsum(gap_PW, axis=1) / run.edges[1:]}
        for reading, per_step_PW in readings.items():
            mean_W, error_W = mean_and_error(per_step_PW)
            rows.append({
                "measure": measure, "reading": reading,
                "behind_until": last_step(run, mean_W + SIGMAS * error_W < 0),
                "ahead_from": lasting_from(run, mean_W > 0),
                "surely_ahead_from": lasting_from(run, mean_W - SIGMAS * error_W > 0),
            })  # fmt: skip
    return pd.DataFrame(rows)


def last_step(run: Run, holds_W: np.ndarray) -> float:
    """The last step of the last window where it holds; none: no number."""
    windows = np.flatnonzero(holds_W)
    return float(run.edges[windows[-1] + 1]) if len(windows) else math.nan


def lasting_from(run: Run, holds_W: np.ndarray) -> float:
    """The first step from which on it holds to the end; none: no number."""
    fails = np.flatnonzero(~holds_W)
    first = fails[-1] + 1 if len(fails) else 0
    return float(run.edges[first] + 1) if first < len(holds_W) else math.nan
