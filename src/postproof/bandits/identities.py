"""What the post says that is arithmetic: averages, weights, sums of step sizes, shares of arms, and a gradient.

`value` is the largest absolute difference found, or the number itself:

    incremental_mean       (2.3), n rewards one after the other, against their mean
    recency_weights        (2.5), the same against the weighted sum of (2.6)
    weights_sum            (1 - alpha)^n + the weights of n rewards, against 1
    greedy_share           chance of the greedy one of two arms at epsilon = 0.5
    other_share            of the other one
    first_policy           soft-max of equal preferences against 1/k
    expected_update        mean of (2.12) over arms and rewards, against alpha times the gradient of E[R] to H
    expected_update_based  the same with a baseline far from the mean reward
    gradient_signs         share of random updates (2.12) in which every preference moves as the post says
    shifted_policy         soft-max with 1,000 added to every preference, against without
    bonus_rises            share of pairs N < t <= 200 at which sqrt(ln t / N) is higher a step later, arm not pulled
    bonus_falls            the same with the arm pulled: lower
    average_error          of the sample average of all rewards, in standard errors
    untried_score          share of arms whose score is finite, none tried yet: the formula of UCB at N = 0
    numbers_per_arm        that an epsilon-greedy agent of sample averages keeps
    weight_1 .. weight_3   of the latest three rewards at the post's alpha
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.bandits.agents import EpsilonGreedy, Gradient
from postproof.bandits.settings import Agents, Identities
from postproof.core import settings, tables

FAR_BASELINE, SHIFT = 100.0, 1000.0
PULLS = [(t, n) for t in range(2, 201) for n in range(1, t)]  # t - 1 steps are over when the score at t is formed


def add_arguments(parser) -> None:
    parser.add_argument("--agents", required=True, help="params section agents, as JSON")
    parser.add_argument("--settings", required=True, help="params section identities, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per identity")
    parser.add_argument("--out-sums", type=Path, required=True, help="tidy CSV, a row per rule and number of terms")


def main(args) -> None:
    alpha, of = settings.parse(Agents, args.agents).step_size, settings.parse(Identities, args.settings)
    rows = [{"check": check, "value": value} for check, value in identities(of, alpha).items()]
    tables.write(args.out, pd.DataFrame(rows), "bandits/identities")
    tables.write(args.out_sums, sums(of, alpha), "bandits/step_sizes")


def identities(of: Identities, alpha: float) -> dict[str, float]:
    rng = np.random.Generator(np.random.SFC64(of.seed))
    rewards = rng.standard_normal(of.rewards).tolist()
    start = 2.5
    averaging, constant = EpsilonGreedy(1, 0.0), EpsilonGreedy(1, 0.0, alpha, start)
    averaged = weighted = 0.0
    for n, reward in enumerate(rewards, start=1):
        averaging.learn(0, reward)
        constant.learn(0, reward)
        averaged = max(averaged, abs(averaging.q_K[0] - math.fsum(rewards[:n]) / n))
        weighted = max(weighted, abs(constant.q_K[0] - recency_weighted(start, rewards[:n], alpha)))
    one = [(1 - alpha) ** n + math.fsum(weights(n, alpha)) for n in range(1, of.rewards + 1)]
    h_K, q_K = (rng.standard_normal(of.arms).tolist() for _ in range(2))
    return {
        "incremental_mean": averaged,
        "recency_weights": weighted,
        "weights_sum": max(abs(total - 1) for total in one),
        "greedy_share": chance(EpsilonGreedy(2, 0.5, None, 0.0), arm=0),
        "other_share": chance(EpsilonGreedy(2, 0.5, None, 0.0), arm=1),
        "first_policy": max(abs(share - 1 / of.arms) for share in Gradient(of.arms, alpha).policy()),
        "expected_update": update_error(h_K, q_K, 0.0),
        "expected_update_based": update_error(h_K, q_K, FAR_BASELINE),
        "gradient_signs": signs_as_said(of, alpha, rng),
        "shifted_policy": shift_error(h_K),
        "bonus_rises": sum(bonus(t + 1, n) > bonus(t, n) for t, n in PULLS) / len(PULLS),
        "bonus_falls": sum(bonus(t + 1, n + 1) < bonus(t, n) for t, n in PULLS) / len(PULLS),
        "average_error": abs(averaging.q_K[0]) * math.sqrt(of.rewards),
        "untried_score": float(np.isfinite(untried_scores(of.arms)).mean()),
        "numbers_per_arm": numbers_per_arm(EpsilonGreedy(of.arms, 0.0)),
        "weight_1": weights(3, alpha)[-1],
        "weight_2": weights(3, alpha)[-2],
        "weight_3": weights(3, alpha)[-3],
    }


def weights(n: int, alpha: float) -> list[float]:
    """alpha (1 - alpha)^(n - i) of the rewards i = 1 .. n, (2.6)."""
    return [alpha * (1 - alpha) ** (n - i) for i in range(1, n + 1)]


def recency_weighted(start: float, rewards: list[float], alpha: float) -> float:
    """The right side of (2.6)."""
    terms = [weight * reward for weight, reward in zip(weights(len(rewards), alpha), rewards)]
    return (1 - alpha) ** len(rewards) * start + math.fsum(terms)


def chance(agent: EpsilonGreedy, arm: int, grid: int = 4000) -> float:
    """The share of uniform numbers, at the middles of a fine grid, for which it pulls the arm. Arm 0 is greedy."""
    agent.learn(0, 1.0)
    return sum(agent.choose((i + 0.5) / grid) == arm for i in range(grid)) / grid


def update_error(h_K: list[float], q_K: list[float], baseline: float) -> float:
    """Of the mean update, sum over arms x of pi(x) (q(x) - baseline) (1[a = x] - pi(a)), against the gradient.

    The gradient is taken by differences of E[R] = sum over x of pi(x) q(x), of complex step: no digits cancel.
    """
    pi_K = softmax(np.array(h_K)).tolist()
    arms = range(len(h_K))
    error = 0.0
    for a in arms:
        mean = math.fsum(pi_K[x] * (q_K[x] - baseline) * ((a == x) - pi_K[a]) for x in arms)
        moved = np.array(h_K, complex)
        moved[a] += 1e-30j
        gradient = float((softmax(moved) * np.array(q_K)).sum().imag / 1e-30)
        error = max(error, abs(mean - gradient))
    return error


def signs_as_said(of: Identities, alpha: float, rng: np.random.Generator) -> float:
    """Over a run of a gradient agent: the pulled arm's preference rises and all others fall when the reward is above
    the baseline, the other way round below it.
    """
    agent, right = Gradient(of.arms, alpha), 0
    for reward, uniform in zip(rng.standard_normal(of.rewards).tolist(), rng.random(of.rewards).tolist()):
        before_K, arm = list(agent.h_K), agent.choose(uniform)
        above = reward - (agent.mean if agent.steps else reward)
        agent.learn(arm, reward)
        moved_K = [new - old for new, old in zip(agent.h_K, before_K)]
        right += all(move * above * (1 if other == arm else -1) >= 0 for other, move in enumerate(moved_K))
    return right / of.rewards


def shift_error(h_K: list[float]) -> float:
    """Of the agent's policy, with the same number added to every preference."""
    plain, shifted = Gradient(len(h_K), 1.0), Gradient(len(h_K), 1.0)
    plain.h_K, shifted.h_K = list(h_K), [h + SHIFT for h in h_K]
    return max(abs(a - b) for a, b in zip(plain.policy(), shifted.policy()))


def bonus(t: int, n: int) -> float:
    """The uncertainty in (2.10), without c."""
    return math.sqrt(math.log(t) / n)


def softmax(h_K: np.ndarray) -> np.ndarray:
    powers_K = np.exp(h_K)
    return powers_K / powers_K.sum()


def untried_scores(arms: int, t: int = 2, c: float = 2.0) -> np.ndarray:
    """Q + c sqrt(ln t / N) as the formula stands, at N = 0."""
    with np.errstate(divide="ignore"):
        return np.zeros(arms) + c * np.sqrt(np.log(t) / np.zeros(arms))


def numbers_per_arm(agent: EpsilonGreedy) -> float:
    """Numbers in the agent's lists, for each arm."""
    kept = [value for value in vars(agent).values() if isinstance(value, list)]
    return sum(map(len, kept)) / agent.arms


def sums(of: Identities, alpha: float) -> pd.DataFrame:
    """Sums of step sizes and of their squares over 10, 100, ... terms, and what an estimate keeps of the noise.

    `noise_left` is the variance of Q_n over that of a reward, for Q_n = Q_{n-1} + a_n (R_n - Q_{n-1}) from a fixed
    start: v_n = (1 - a_n)^2 v_{n-1} + a_n^2.
    """
    terms = {"average": lambda n: 1 / n, "constant": lambda n: alpha, "root": lambda n: 1 / math.sqrt(n)}
    rows = []
    for rule, step_size in terms.items():
        sizes = [step_size(n) for n in range(1, 10**of.decades + 1)]
        kept = list(itertools.accumulate(sizes, lambda left, size: (1 - size) ** 2 * left + size**2, initial=0.0))
        for count in (10**decade for decade in range(1, of.decades + 1)):
            rows.append({"step_size": rule, "terms": count, "sum": math.fsum(sizes[:count]),
                         "sum_of_squares": math.fsum(size * size for size in sizes[:count]),
                         "noise_left": kept[count]})  # fmt: skip
    return pd.DataFrame(rows)
