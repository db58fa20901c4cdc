"""The agents of agents.py as compiled loops, one for each family, over all problems of a block and all their steps.

A loop takes numbers that NumPy has drawn and gives, step by step, the arm, the reward and whether the arm was a best
one. Nothing is drawn inside, and the order of all operations is that of agents.py.

B problems of a block, K arms, T steps, S situations.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from postproof.bandits.agents import Contextual, EpsilonGreedy, Gradient, UpperConfidence
from postproof.bandits.exponential import exponential
from postproof.core.errors import PostproofError

BASELINES = ("none", "before", "through")
Agent = EpsilonGreedy | UpperConfidence | Gradient | Contextual


class Games(NamedTuple):
    """Problems with all the random numbers of their steps, so that agents can be compared on the same."""

    values_BSK: np.ndarray  # q*(a) in each situation, before the first step
    walk_BTK: np.ndarray  # what is added to the values after each step; no steps (B, 0, K) where they stay
    situation_BT: np.ndarray  # int8
    noise_BT: np.ndarray  # of the reward, whichever arm is pulled
    uniform_BT: np.ndarray  # in [0, 1): explores, breaks ties, draws from a policy


class Played(NamedTuple):
    arm_BT: np.ndarray  # int8
    reward_BT: np.ndarray
    best_BT: np.ndarray  # 1.0 where no arm had a higher value, else 0.0


def play(agent: Agent, games: Games) -> Played:
    """Every game of the block played by an agent like this one that has learnt nothing yet.

    Raises PostproofError when the agent has another number of arms or situations than the games, more arms than 127,
    or logarithms for fewer steps: compiled code would read beyond its arrays.
    """
    problems, situations, arms = games.values_BSK.shape
    shape = (problems, games.noise_BT.shape[1])
    if agent.arms != arms or arms > np.iinfo(np.int8).max:
        raise PostproofError("agent and problems do not fit together", arms=agent.arms, arms_of_problems=arms,
                             allowed="the same number, at most 127")  # fmt: skip
    if isinstance(agent, Contextual) and len(agent.agents) != situations:
        raise PostproofError("agent and problems do not fit together", situations=len(agent.agents),
                             situations_of_problems=situations, allowed="the same number")  # fmt: skip
    if isinstance(agent, UpperConfidence) and len(agent.log_T) < shape[1]:
        raise PostproofError("too few logarithms for the run", logarithms=len(agent.log_T),
                             allowed=f"at least {shape[1]}, one for each step")  # fmt: skip
    played = Played(np.empty(shape, np.int8), np.empty(shape), np.empty(shape))
    if isinstance(agent, Gradient):
        _gradient(*games, agent.step_size, BASELINES.index(agent.baseline), *played)
        return played
    sees = isinstance(agent, Contextual)
    step_size = 0.0 if sees or agent.step_size is None else agent.step_size
    if isinstance(agent, UpperConfidence):
        _upper_confidence(*games, agent.c, np.asarray(agent.log_T), step_size, *played)
    else:
        _epsilon_greedy(*games, agent.epsilon, step_size, agent.initial, situations if sees else 1, *played)
    return played


@numba.njit
def _random_arm(arms, uniform):
    return min(int(uniform * arms), arms - 1)


@numba.njit
def _greatest(scores_K, uniform):
    most, first = scores_K[0], 0
    for arm in range(1, len(scores_K)):
        if scores_K[arm] > most:
            most, first = scores_K[arm], arm
    ties = 0
    for arm in range(len(scores_K)):
        ties += scores_K[arm] == most
    if ties == 1:
        return first
    left = _random_arm(ties, uniform)
    for arm in range(first, len(scores_K)):
        if scores_K[arm] == most:
            if left == 0:
                return arm
            left -= 1
    return first


@numba.njit
def _summit(q_K):
    """The first arm with the highest estimate, and the highest estimate of all others."""
    top, second = 0, -np.inf
    for arm in range(1, len(q_K)):
        if q_K[arm] > q_K[top]:
            top, second = arm, q_K[top]
        else:
            second = max(second, q_K[arm])
    return top, second


@numba.njit
def _start(values_SK, value_SK, best_S):
    for s in range(values_SK.shape[0]):
        best_S[s] = values_SK[s, 0]
        for arm in range(values_SK.shape[1]):
            value_SK[s, arm] = values_SK[s, arm]
            best_S[s] = max(best_S[s], values_SK[s, arm])


@numba.njit
def _walk(steps_K, value_SK, best_S):
    for s in range(value_SK.shape[0]):
        for arm in range(value_SK.shape[1]):
            value_SK[s, arm] += steps_K[arm]
        best_S[s] = value_SK[s].max()


@numba.njit(error_model="numpy")
def _epsilon_greedy(values_BSK, walk_BTK, situation_BT, noise_BT, uniform_BT, epsilon, step_size, initial, tables,
                    arm_BT, reward_BT, best_BT):  # fmt: skip
    problems, situations, arms = values_BSK.shape
    value_SK, best_S = np.empty((situations, arms)), np.empty(situations)
    q_SK, n_SK = np.empty((tables, arms)), np.empty((tables, arms))
    # As long as the greedy arm stays above all others, no estimate need be looked at but its own.
    top_S, second_S = np.empty(tables, np.int64), np.empty(tables)
    walks = walk_BTK.shape[1] > 0
    for b in range(problems):
        _start(values_BSK[b], value_SK, best_S)
        q_SK[:] = initial
        n_SK[:] = 0
        top_S[:] = 0
        second_S[:] = initial
        for t in range(noise_BT.shape[1]):
            s = situation_BT[b, t]
            own = s if tables > 1 else 0
            uniform = uniform_BT[b, t]
            if uniform < epsilon:
                arm = _random_arm(arms, uniform / epsilon)
            elif q_SK[own, top_S[own]] > second_S[own]:
                arm = top_S[own]
            else:
                arm = _greatest(q_SK[own], (uniform - epsilon) / (1 - epsilon))
            reward = value_SK[s, arm] + noise_BT[b, t]
            n_SK[own, arm] += 1
            alpha = step_size if step_size > 0 else 1 / n_SK[own, arm]
            q_SK[own, arm] += alpha * (reward - q_SK[own, arm])
            if arm != top_S[own] or q_SK[own, arm] <= second_S[own]:
                top_S[own], second_S[own] = _summit(q_SK[own])
            arm_BT[b, t], reward_BT[b, t] = arm, reward
            best_BT[b, t] = 1.0 if value_SK[s, arm] == best_S[s] else 0.0
            if walks:
                _walk(walk_BTK[b, t], value_SK, best_S)


@numba.njit(error_model="numpy")
def _upper_confidence(values_BSK, walk_BTK, situation_BT, noise_BT, uniform_BT, c, log_T, step_size,
                      arm_BT, reward_BT, best_BT):  # fmt: skip
    problems, situations, arms = values_BSK.shape
    value_SK, best_S = np.empty((situations, arms)), np.empty(situations)
    q_K, n_K, score_K = np.empty(arms), np.empty(arms), np.empty(arms)
    walks = walk_BTK.shape[1] > 0
    for b in range(problems):
        _start(values_BSK[b], value_SK, best_S)
        q_K[:] = 0
        n_K[:] = 0
        for t in range(noise_BT.shape[1]):
            s = situation_BT[b, t]
            for arm in range(arms):
                if t < arms:  # each of the first K steps takes an untried arm
                    score_K[arm] = 1.0 if n_K[arm] == 0 else 0.0
                else:
                    score_K[arm] = q_K[arm] + c * np.sqrt(log_T[t] / n_K[arm])
            arm = _greatest(score_K, uniform_BT[b, t])
            reward = value_SK[s, arm] + noise_BT[b, t]
            n_K[arm] += 1
            alpha = step_size if step_size > 0 else 1 / n_K[arm]
            q_K[arm] += alpha * (reward - q_K[arm])
            arm_BT[b, t], reward_BT[b, t] = arm, reward
            best_BT[b, t] = 1.0 if value_SK[s, arm] == best_S[s] else 0.0
            if walks:
                _walk(walk_BTK[b, t], value_SK, best_S)


@numba.njit(error_model="numpy")
def _gradient(values_BSK, walk_BTK, situation_BT, noise_BT, uniform_BT, step_size, baseline,
              arm_BT, reward_BT, best_BT):  # fmt: skip
    problems, situations, arms = values_BSK.shape
    value_SK, best_S = np.empty((situations, arms)), np.empty(situations)
    h_K, pi_K = np.empty(arms), np.empty(arms)
    walks = walk_BTK.shape[1] > 0
    for b in range(problems):
        _start(values_BSK[b], value_SK, best_S)
        h_K[:] = 0
        mean = 0.0
        for t in range(noise_BT.shape[1]):
            s = situation_BT[b, t]
            most, total = h_K.max(), 0.0
            for arm in range(arms):
                pi_K[arm] = exponential(h_K[arm] - most)
                total += pi_K[arm]
            below, arm = 0.0, arms - 1
            for other in range(arms):
                pi_K[other] /= total
            for other in range(arms):
                below += pi_K[other]
                if uniform_BT[b, t] < below:
                    arm = other
                    break
            reward = value_SK[s, arm] + noise_BT[b, t]
            mean_before = reward if t == 0 else mean
            mean += (reward - mean) / (t + 1)
            against = mean if baseline == 2 else (mean_before if baseline == 1 else 0.0)
            gain = step_size * (reward - against)
            for other in range(arms):
                h_K[other] += gain * ((1.0 if other == arm else 0.0) - pi_K[other])
            arm_BT[b, t], reward_BT[b, t] = arm, reward
            best_BT[b, t] = 1.0 if value_SK[s, arm] == best_S[s] else 0.0
            if walks:
                _walk(walk_BTK[b, t], value_SK, best_S)
