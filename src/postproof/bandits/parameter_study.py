"""Each family of agents over its own parameter, on several kinds of problems, and the families at their best.

As in the book's figure 2.6 a setting's score is the mean reward over the whole run. Families at their best are compared
on the same problems with sample-average epsilon-greedy at its best: choosing among a few settings favours each alike.
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
from postproof.bandits.settings import Kind, ParameterStudy, Testbed
from postproof.core import settings, tables

AGAINST = "epsilon_greedy"


def add_arguments(parser) -> None:
    parser.add_argument("--testbed", required=True, help="params section testbed, as JSON")
    parser.add_argument("--settings", required=True, help="params section parameter_study, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per kind, family and parameter")
    parser.add_argument("--out-best", type=Path, required=True, help="tidy CSV, a row per kind and family")


def main(args) -> None:
    testbed, study = settings.parse(Testbed, args.testbed), settings.parse(ParameterStudy, args.settings)
    scores, best = zip(*(of_kind(name, kind, study, testbed.seed) for name, kind in study.kinds.items()))
    tables.write(args.out, pd.concat(scores, ignore_index=True), "bandits/parameter_study")
    tables.write(args.out_best, pd.concat(best, ignore_index=True), "bandits/parameter_study_best")


def families(study: ParameterStudy, arms: int, steps: int) -> dict[str, dict[float, Agent]]:
    """The agents of each family by parameter."""
    log_T = np.log(np.arange(1, steps + 1)).tolist()
    return {
        AGAINST: {epsilon: EpsilonGreedy(arms, epsilon) for epsilon in study.epsilons},
        "epsilon_constant": {epsilon: EpsilonGreedy(arms, epsilon, study.step_size) for epsilon in study.epsilons},
        "gradient": {alpha: Gradient(arms, alpha) for alpha in study.gradient_step_sizes},
        "ucb": {c: UpperConfidence(arms, c, log_T) for c in study.cs},
        "optimistic": {start: EpsilonGreedy(arms, 0.0, study.step_size, start) for start in study.optimistic_starts},
    }


def of_kind(name: str, kind: Kind, study: ParameterStudy, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of every setting, and of each family at its best."""
    problems = Problems(kind.problems, kind.steps, kind.arms, 0.0, kind.value_sd, math.sqrt(kind.reward_variance),
                        kind.walk_sd)  # fmt: skip
    of_family = families(study, kind.arms, kind.steps)
    agents = {
        label(family, parameter): agent for family, by_parameter in of_family.items()
        for parameter, agent in by_parameter.items()
    }  # fmt: skip
    run = runs.run(agents, problems, seed, np.array([0, kind.steps]))
    rows = []
    for family, by_parameter in of_family.items():
        for parameter in by_parameter:
            [reward], [error] = runs.mean_and_error(run.sums[label(family, parameter)].reward_PW / kind.steps)
            rows.append({"kind": name, "family": family, "parameter": parameter, "reward": reward,
                         "reward_error": error})  # fmt: skip
    scores = pd.DataFrame(rows)
    best = scores.loc[
        scores.groupby("family", sort=False)["reward"].idxmax(), ["kind", "family", "parameter", "reward"]
    ]
    champions = dict(zip(best["family"], map(label, best["family"], best["parameter"])))
    leads = pd.DataFrame([lead(run, champion, champions[AGAINST]) for champion in champions.values()])
    return scores, pd.concat([best.reset_index(drop=True), leads], axis=1)


def label(family: str, parameter: float) -> str:
    return f"{family} {float(parameter)!r}"


def lead(run: runs.Run, agent: str, against: str) -> dict[str, float]:
    gap_P1 = (run.sums[agent].reward_PW - run.sums[against].reward_PW) / run.edges[-1]
    [mean], [error] = runs.mean_and_error(gap_P1)
    return {"lead": mean, "lead_low": mean - runs.SIGMAS * error, "lead_high": mean + runs.SIGMAS * error}
