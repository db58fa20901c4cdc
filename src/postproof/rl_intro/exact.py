"""What a world allows, computed from its table: best values, and what acting with exploration costs.

S states, A actions, as in postproof/mdp; its last state may be one that gymnasium's table has not, the end.
Equations: Sutton and Barto, Reinforcement Learning, 2nd ed.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from postproof.mdp import finite, solve
from postproof.mdp.finite import FiniteMDP


def epsilon_greedy(q_SA: NDArray, epsilon: float) -> NDArray:
    """pi(a | s) of the policy that acts greedily, with equal chances among the best, but for a share of epsilon."""
    best_SA = solve.greedy(q_SA)
    return (1 - epsilon) * best_SA / best_SA.sum(axis=1, keepdims=True) + epsilon / q_SA.shape[1]


def greedy_policy(q_SA: NDArray) -> NDArray:
    """pi(a | s) of acting greedily, with equal chances among the best: (S, A)."""
    return epsilon_greedy(q_SA, 0.0)


def on_states(q_SA: NDArray, mdp: FiniteMDP) -> NDArray:
    """Values that an agent learned, (S, A) of the MDP: the end that a table of gymnasium lacks has 0."""
    return np.vstack([q_SA, np.zeros((len(mdp.states) - len(q_SA), q_SA.shape[1]))])


def expected_return(mdp: FiniteMDP, policy_SA: NDArray, gamma: float, starts: list[int]) -> float:
    """v_pi, the mean over the states in which an episode may begin."""
    return float(solve.evaluate(mdp, policy_SA, gamma)[starts].mean())


def visits(mdp: FiniteMDP, policy_SA: NDArray, gamma: float, starts: list[int]) -> NDArray:
    """Where a policy acts: the share of steps in each state, step t counted gamma^t, (S,)."""
    transitions_SS, _ = solve.under_policy(mdp, policy_SA, gamma)
    begin_S = np.zeros(len(mdp.states))
    begin_S[starts] = 1 / len(starts)
    share_S = np.linalg.solve(np.eye(len(begin_S)) - gamma * transitions_SS.toarray().T, begin_S)
    share_S[mdp.terminal] = 0
    return share_S / share_S.sum()


def expected_steps(mdp: FiniteMDP, policy_SA: NDArray) -> NDArray:
    """Expected steps to the end, (S,): the undiscounted values where each step gives 1.

    Raises DataError when the policy need not end.
    """
    counted = dataclasses.replace(mdp, reward=np.ones_like(mdp.reward))
    return solve.evaluate(counted, policy_SA, 1.0)


def fewest_steps(mdp: FiniteMDP) -> NDArray:
    """Steps to the nearest end if every move went as one likes, (S,), by breadth-first search; infinite without one."""
    steps_S = np.where(mdp.terminal, 0.0, np.inf)
    while True:
        closer_S = steps_S.copy()
        np.minimum.at(closer_S, mdp.state, steps_S[mdp.next_state] + 1)
        if (closer_S == steps_S).all():
            return steps_S
        steps_S = closer_S


def explored(mdp: FiniteMDP, epsilon: float) -> FiniteMDP:
    """The world in which a share epsilon of all actions is replaced by random ones.

    An optimal policy here is the best of those that explore that much (section 5.4). Every state has all actions.
    """
    A = len(mdp.actions)
    columns = [(mdp.state, mdp.action, mdp.next_state, mdp.reward, (1 - epsilon) * mdp.probability)]
    for chosen in range(A):
        columns.append((mdp.state, np.full_like(mdp.action, chosen), mdp.next_state, mdp.reward,
                        epsilon / A * mdp.probability))  # fmt: skip
    merged = finite.merged(*(np.concatenate(column) for column in zip(*columns)))
    return FiniteMDP(mdp.states, mdp.actions, *merged, mdp.terminal)


def best_exploring(mdp: FiniteMDP, epsilon: float, gamma: float) -> NDArray:
    """q(s, a) of the best policy that keeps on exploring, (S, A): what Sarsa learns, where Q-learning learns q*."""
    v_S, _ = solve.optimal(explored(mdp, epsilon), gamma)
    return solve.action_values(mdp, v_S, gamma)


def with_memory(mdp: FiniteMDP) -> FiniteMDP:
    """The same world for an agent that also sees its previous action: state s * A + b is s after action b."""
    A = len(mdp.actions)
    states = tuple(f"{state} after {action}" for state in mdp.states for action in mdp.actions)
    before = np.repeat(np.arange(A), len(mdp.state))
    state, action, next_state, reward, probability = (
        np.tile(column, A) for column in (mdp.state, mdp.action, mdp.next_state, mdp.reward, mdp.probability)
    )
    return FiniteMDP(states, mdp.actions, state * A + before, action, next_state * A + action, reward, probability,
                     np.repeat(mdp.terminal, A))  # fmt: skip


def acting_states(mdp: FiniteMDP, starts: list[int]) -> NDArray:
    """The states in which one may come to act from `starts`, in order."""
    found_S = np.zeros(len(mdp.states), dtype=bool)
    found_S[starts] = True
    while True:
        more_S = found_S.copy()
        more_S[mdp.next_state[found_S[mdp.state] & (mdp.probability > 0)]] = True
        if (more_S == found_S).all():
            return np.flatnonzero(found_S & ~mdp.terminal)
        found_S = more_S
