"""What must be true of any finite MDP, held against each of ours: the largest miss, over states and actions.

    sums             |sum over s' and r of p(s', r | s, a) - 1|                                       (eq. 3.3)
    transitions      p(s' | s, a) against a plain loop over outcomes                                  (eq. 3.4)
    rewards          r(s, a) against the same loop                                                    (eq. 3.5)
    rewards_next     r(s, a) against sum over s' of p(s' | s, a) r(s, a, s')                          (eq. 3.6)
    product          p(s', r | s, a) against p(s' | s, a) p(r | s, a): apart, they lose what ties r to s'
    product_values   v_pi against that of the dynamics p(s' | s, a) p(r | s, a): values do not need it
    bellman          v_pi against its equation, outcome by outcome                                    (eq. 3.14)
    sweeps           v_pi of the linear system against that of sweeps over all states
    pi_of_q          v_pi against sum over a of pi(a | s) q_pi(s, a)
    optimality       v* against its equation                                                          (eq. 3.19)
    optimality_q     q* against its equation                                                          (eq. 3.20)
    value_iteration  v* of policy iteration against that of value iteration
    beaten           how far the best of random stochastic policies is above v*: 0, or below          (section 3.6)
    greedy_v         v* against the value of acting greedily on it, reward and discount with it
    greedy_q         v* against the value of taking the action of the highest q*
    all_policies     v* against the best of all deterministic policies, one by one; of small random MDPs

pi is the equiprobable policy. Random MDPs are of several seeds, and the largest miss of all is given.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.mdp import models, solve
from postproof.mdp.finite import FiniteMDP
from postproof.mdp.settings import Identities


def add_arguments(parser) -> None:
    models.add_arguments(parser)
    parser.add_argument("--settings", required=True, help="params section mdp.identities, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per MDP and check")


def main(args) -> None:
    named, drawn = models.of_sections(args)
    section = settings.parse(Identities, args.settings)
    tables.write(args.out, checked(named, [mdp for _, mdp in drawn], section), "mdp/identities")


def checked(found: dict[str, FiniteMDP], drawn: list[FiniteMDP], settings: Identities) -> pd.DataFrame:
    rng = np.random.Generator(np.random.SFC64(settings.seed))
    rows = [(name, *row) for name, mdp in found.items() for row in misses(mdp, settings, rng)]
    of_random: dict[str, float] = {}
    for mdp in drawn:
        for check, miss in misses(mdp, settings, rng):
            of_random[check] = max(miss, of_random.get(check, 0.0))
    small = settings.enumerated
    of_random["all_policies"] = max(
        best_of_all(models.random_mdp(rng, small.states, small.actions, min(2, small.states)), settings.gamma)
        for _ in range(small.mdps)
    )
    rows += [("random", *row) for row in of_random.items()]
    return pd.DataFrame(rows, columns=["mdp", "check", "miss"])


def misses(mdp: FiniteMDP, settings: Identities, rng: np.random.Generator) -> Iterator[tuple[str, float]]:
    """Check and largest miss."""
    gamma, available_SA = settings.gamma, mdp.available_SA
    p_SAS = mdp.transitions_SAS()
    r_SA, r_SAS = mdp.expected_rewards_SA(), mdp.expected_rewards_SAS()
    looped_p_SAS, looped_r_SA = by_loop(mdp)
    yield "sums", largest((p_SAS.sum(axis=2) - 1)[available_SA])
    yield "transitions", largest(p_SAS - looped_p_SAS)
    yield "rewards", largest(r_SA - looped_r_SA)
    yield "rewards_next", largest(r_SA - (p_SAS * np.nan_to_num(r_SAS)).sum(axis=2))

    policy_SA = solve.uniform(mdp)
    v_S = solve.evaluate(mdp, policy_SA, gamma)
    apart = product(mdp)
    yield "product", largest_of_difference(mdp, apart)
    yield "product_values", largest(v_S - solve.evaluate(apart, policy_SA, gamma))
    weights_O = policy_SA[mdp.state, mdp.action] * mdp.probability
    backed_S = np.bincount(mdp.state, weights_O * (mdp.reward + gamma * v_S[mdp.next_state]), len(v_S))
    yield "bellman", largest(v_S - backed_S)
    yield "sweeps", largest(v_S - solve.evaluate_iteratively(mdp, policy_SA, gamma, settings.tolerance))
    q_SA = np.where(available_SA, solve.action_values(mdp, v_S, gamma), 0)
    yield "pi_of_q", largest(v_S - (policy_SA * q_SA).sum(axis=1))

    v_S, q_SA = solve.optimal(mdp, gamma)
    yield "optimality", solve.bellman_residual(mdp, v_S, gamma)
    backed_SA = np.zeros_like(r_SA)
    best_S = q_SA.max(axis=1)
    np.add.at(backed_SA, (mdp.state, mdp.action), mdp.probability * (mdp.reward + gamma * best_S[mdp.next_state]))
    yield "optimality_q", largest((q_SA - backed_SA)[available_SA])
    yield "value_iteration", largest(v_S - solve.value_iteration(mdp, gamma, settings.tolerance))
    above = [(solve.evaluate(mdp, random_policy(mdp, rng), gamma) - v_S).max() for _ in range(settings.policies)]
    yield "beaten", max(0.0, *above)
    for name, score_SA in (("greedy_v", solve.action_values(mdp, v_S, gamma)), ("greedy_q", q_SA)):
        actions_S = score_SA.argmax(axis=1)
        yield name, largest(v_S - solve.evaluate(mdp, solve.only(actions_S, mdp), gamma))


def by_loop(mdp: FiniteMDP) -> tuple[np.ndarray, np.ndarray]:
    """p(s' | s, a) and r(s, a), added up outcome by outcome as the equations have them."""
    p_SAS = np.zeros((*mdp.available_SA.shape, len(mdp.states)))
    r_SA = np.zeros(mdp.available_SA.shape)
    for s, a, after, r, p in zip(mdp.state, mdp.action, mdp.next_state, mdp.reward, mdp.probability):
        p_SAS[s, a, after] += p
        r_SA[s, a] += r * p
    return p_SAS, r_SA


def product(mdp: FiniteMDP) -> FiniteMDP:
    """Next state and reward drawn apart, each with its own probability given state and action."""
    rows = []
    for s, a in np.argwhere(mdp.available_SA):
        of_pair = (mdp.state == s) & (mdp.action == a)
        marginals: tuple[dict, dict] = {}, {}
        for column, marginal in zip((mdp.next_state, mdp.reward), marginals):
            for value, p in zip(column[of_pair].tolist(), mdp.probability[of_pair].tolist()):
                marginal[value] = marginal.get(value, 0.0) + p
        rows += [(s, a, after, r, p * q) for after, p in marginals[0].items() for r, q in marginals[1].items()]
    columns = (np.array(column) for column in zip(*rows))
    return FiniteMDP(mdp.states, mdp.actions, *columns, mdp.terminal)


def largest_of_difference(one: FiniteMDP, other: FiniteMDP) -> float:
    """Largest difference of p(s', r | s, a)."""
    joint: dict[tuple, float] = {}
    for mdp, sign in ((one, 1), (other, -1)):
        for *outcome, p in zip(*(column.tolist() for column in (mdp.state, mdp.action, mdp.next_state, mdp.reward)),
                               mdp.probability.tolist()):  # fmt: skip
            joint[tuple(outcome)] = joint.get(tuple(outcome), 0.0) + sign * p
    return max(map(abs, joint.values()))


def random_policy(mdp: FiniteMDP, rng: np.random.Generator) -> np.ndarray:
    weights_SA = rng.exponential(size=mdp.available_SA.shape) * mdp.available_SA
    return weights_SA / np.where(mdp.terminal, 1, weights_SA.sum(axis=1))[:, None]


def best_of_all(mdp: FiniteMDP, gamma: float) -> float:
    """|v* - the best of all deterministic policies|, the best taken state by state."""
    values = [solve.evaluate(mdp, solve.only(np.array(actions_S), mdp), gamma)
              for actions_S in itertools.product(range(len(mdp.actions)), repeat=len(mdp.states))]  # fmt: skip
    return largest(np.max(values, axis=0) - solve.optimal(mdp, gamma)[0])


def largest(miss: np.ndarray) -> float:
    return float(np.abs(miss).max(initial=0.0))
