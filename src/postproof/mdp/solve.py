"""Values and policies of a finite MDP whose dynamics are known (Sutton and Barto, 2nd ed., chapters 3 and 4).

Shapes as in finite.py: S states, A actions, X pairs. A policy is pi(a | s), (S, A), rows of probabilities; the row of a
terminal state is not read. Values of terminal states are 0, and q is -inf where a state lacks the action.

gamma = 1 needs episodes that end: `evaluate` refuses a policy that need not, and the optimal values are then the best
over policies that end. Where the reward of a cycle is positive there is no best: an error says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postproof.core.errors import DataError
from postproof.mdp import compiled
from postproof.mdp.finite import FiniteMDP

TIE = 1e-9  # actions are equally good when their values differ by no more, relative to the largest
DIRECT_STATES = 5_000  # up to here `optimal` solves linear systems; beyond, their fill-in may not fit
SWEEPS_LIMIT = 1_000_000
COMPILED_PAIRS = 200_000  # from here on a compiled sweep gains more than the second that compiling takes


def action_values(mdp: FiniteMDP, v_S: NDArray, gamma: float) -> NDArray:
    """q(s, a) = sum over s' and r of p(s', r | s, a) [r + gamma v(s')]: (S, A), 0 in terminal states."""
    q_SA = mdp.expected_rewards_SA() + gamma * (mdp.transitions_XS @ v_S).reshape(mdp.available_SA.shape)
    q_SA[~mdp.available_SA & ~mdp.terminal[:, None]] = -np.inf
    return q_SA


def largest(q_SA: NDArray) -> NDArray:
    """max over a of q(s, a): (S,). Action by action, since NumPy takes nine times as long over rows this short."""
    best_S = q_SA[:, 0].copy()
    for q_S in q_SA.T[1:]:
        np.maximum(best_S, q_S, out=best_S)
    return best_S


def greedy(q_SA: NDArray) -> NDArray:
    """All maximising actions of each state: (S, A) of bool. In a terminal state every action is one."""
    best_S1 = largest(q_SA)[:, None]
    return q_SA >= best_S1 - TIE * np.maximum(1, np.abs(best_S1))


def uniform(mdp: FiniteMDP) -> NDArray:
    """The policy that takes each action that a state has with the same probability: (S, A)."""
    return mdp.available_SA / np.maximum(1, mdp.available_SA.sum(axis=1, keepdims=True))


def only(actions_S: NDArray, mdp: FiniteMDP) -> NDArray:
    """The deterministic policy that takes these actions: (S, A)."""
    return np.eye(len(mdp.actions))[actions_S]


def evaluate(mdp: FiniteMDP, policy_SA: NDArray, gamma: float) -> NDArray:
    """v_pi from the linear system that the Bellman equation is (eq. 3.14): v = r_pi + gamma P_pi v. (S,).

    Raises DataError when gamma is not in [0, 1], the policy is none, or gamma is 1 and it need not end.
    """
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import spsolve

    transitions_SS, rewards_S = under_policy(mdp, policy_SA, gamma)
    live = np.flatnonzero(~mdp.terminal)
    v_S = np.zeros(len(mdp.states))
    if len(live):
        matrix = eye_array(len(live), format="csc") - gamma * transitions_SS[live][:, live].tocsc()
        v_S[live] = spsolve(matrix, rewards_S[live])
    return v_S


def evaluate_iteratively(mdp: FiniteMDP, policy_SA: NDArray, gamma: float, tolerance: float = 1e-12) -> NDArray:
    """v_pi by sweeps of v <- r_pi + gamma P_pi v (eq. 4.5) until none can be further from it than `tolerance`.

    With gamma = 1 no such bound is known: sweeps end when one changes no value by more than `tolerance`.
    Raises DataError as `evaluate` does.
    """
    transitions_SS, rewards_S = under_policy(mdp, policy_SA, gamma)
    return _swept(lambda v_S: rewards_S + gamma * (transitions_SS @ v_S), np.zeros(len(mdp.states)), gamma, tolerance)


def under_policy(mdp: FiniteMDP, policy_SA: NDArray, gamma: float) -> tuple[Any, NDArray]:
    """P_pi, sparse (S, S), and r_pi, (S,). Raises DataError as `evaluate` does."""
    from scipy.sparse import csr_array

    _check_gamma(gamma)
    policy_SA = np.asarray(policy_SA, dtype=float)
    _check_policy(mdp, policy_SA)
    S, A = policy_SA.shape
    weights_SA = np.where(mdp.available_SA, policy_SA, 0.0)
    weights_SX = csr_array((weights_SA.ravel(), np.arange(S * A), np.arange(0, S * A + 1, A)), shape=(S, S * A))
    transitions_SS = (weights_SX @ mdp.transitions_XS).tocsr()
    transitions_SS.eliminate_zeros()
    if gamma == 1:
        stuck_S = ~_reaches(transitions_SS, mdp.terminal)
        if stuck_S.any():
            raise DataError("with gamma = 1, policy does not end from every state: the return may be infinite",
                            state=mdp.states[int(stuck_S.argmax())], states=int(stuck_S.sum()), gamma=gamma,
                            allowed="gamma below 1, or a policy that ends",
                            remedy="lower gamma, or take a policy that ends")  # fmt: skip
    return transitions_SS, (weights_SA * mdp.expected_rewards_SA()).sum(axis=1)


def value_iteration(mdp: FiniteMDP, gamma: float, tolerance: float = 1e-12) -> NDArray:
    """v* by sweeps of v(s) <- max_a q(s, a) (eq. 4.10) until none can be further from it than `tolerance`. (S,).

    With gamma = 1 it starts from the values of a policy that ends, from where no sweep lowers a value, and ends when
    one raises none by more than `tolerance`. Raises DataError when gamma is not in [0, 1], or is 1 and there is no
    policy that ends from every state, or values have no limit.
    """
    _check_gamma(gamma)
    start_S = np.zeros(len(mdp.states))
    if gamma == 1:
        start_S = evaluate(mdp, only(ending_policy(mdp), mdp), gamma)
    rewards_SA = mdp.expected_rewards_SA()
    rewards_SA[~mdp.available_SA & ~mdp.terminal[:, None]] = -np.inf
    shape = rewards_SA.shape
    if rewards_SA.size >= COMPILED_PAIRS:
        return _swept(compiled.sweep_of(mdp.transitions_XS, rewards_SA, gamma), start_S, gamma, tolerance)

    def sweep(v_S: NDArray) -> NDArray:
        q_SA = (mdp.transitions_XS @ v_S).reshape(shape)
        q_SA *= gamma
        q_SA += rewards_SA
        return largest(q_SA)

    return _swept(sweep, start_S, gamma, tolerance)


def policy_iteration(mdp: FiniteMDP, gamma: float) -> tuple[NDArray, NDArray]:
    """An optimal action of each state and v*: evaluate, act greedily, until no action is better (section 4.3).

    An action changes only for one that is better: with gamma = 1 a policy that ends then stays one, unless a cycle has
    a positive reward. Of several optimal actions any one may be given; `greedy` has them all.
    Raises DataError as `value_iteration` does.
    """
    _check_gamma(gamma)
    actions_S = ending_policy(mdp) if gamma == 1 else mdp.available_SA.argmax(axis=1)
    rows = np.arange(len(mdp.states))
    for turn in range(SWEEPS_LIMIT):
        try:
            v_S = evaluate(mdp, only(actions_S, mdp), gamma)
        except DataError as error:
            if turn == 0:
                raise
            raise _endless(mdp, error.context.get("state")) from error
        q_SA = action_values(mdp, v_S, gamma)
        better_S = ~greedy(q_SA)[rows, actions_S]
        if not better_S.any():
            break
        actions_S = np.where(better_S, q_SA.argmax(axis=1), actions_S)
    return actions_S, v_S


def optimal(mdp: FiniteMDP, gamma: float) -> tuple[NDArray, NDArray]:
    """v* (S,) and q* (S, A): by policy iteration, or beyond DIRECT_STATES by value iteration to 1e-12.

    Raises DataError as `value_iteration` does.
    """
    is_small = len(mdp.states) <= DIRECT_STATES
    v_S = policy_iteration(mdp, gamma)[1] if is_small else value_iteration(mdp, gamma)
    return v_S, action_values(mdp, v_S, gamma)


def bellman_residual(mdp: FiniteMDP, v_S: NDArray, gamma: float) -> float:
    """max over s of |max_a q(s, a) - v(s)|: 0 for v* alone (eq. 3.19)."""
    return float(np.abs(largest(action_values(mdp, v_S, gamma)) - v_S).max())


def ending_policy(mdp: FiniteMDP) -> NDArray:
    """An action of each state, (S,), with which every episode ends with probability 1: each leads closer to an end.

    Raises DataError when there is none, naming a state from where episodes need never end.
    """
    transitions_XS, available_SA = mdp.transitions_XS, mdp.available_SA
    hopeful_S = np.ones(len(mdp.states), dtype=bool)
    while True:  # who can reach an end with actions that never leave this set; smaller until nothing changes
        leaves_SA = (transitions_XS @ (~hopeful_S).astype(float) > 0).reshape(available_SA.shape)
        usable_SA = available_SA & ~leaves_SA
        done_S, actions_S = mdp.terminal.copy(), np.zeros(len(mdp.states), dtype=np.int64)
        while True:
            closer_SA = usable_SA & (transitions_XS @ done_S.astype(float) > 0).reshape(available_SA.shape)
            new_S = closer_SA.any(axis=1) & ~done_S
            if not new_S.any():
                break
            actions_S[new_S] = closer_SA[new_S].argmax(axis=1)
            done_S |= new_S
        if (done_S == hopeful_S).all():
            break
        hopeful_S = done_S
    if not hopeful_S.all():
        raise DataError("with gamma = 1, some states have no policy that ends: the return may be infinite",
                        state=mdp.states[int((~hopeful_S).argmax())], states=int((~hopeful_S).sum()), gamma=1,
                        allowed="gamma below 1, or an end within reach", remedy="lower gamma")  # fmt: skip
    return actions_S


def _reaches(transitions_SS: Any, terminal_S: NDArray) -> NDArray:
    """From which states an end can be reached: in a finite chain that means it is, with probability 1."""
    done_S = terminal_S
    while True:
        more_S = done_S | (transitions_SS @ done_S.astype(float) > 0)
        if (more_S == done_S).all():
            return done_S
        done_S = more_S


def _swept(sweep: Any, v_S: NDArray, gamma: float, tolerance: float) -> NDArray:
    if not tolerance > 0:
        raise DataError("tolerance is not positive", value=tolerance, allowed="above 0", remedy="change it")
    for _ in range(SWEEPS_LIMIT):
        before_S, v_S = v_S, sweep(v_S)
        change = np.abs(v_S - before_S).max()
        # |v - v_k| <= gamma / (1 - gamma) |v_k - v_k-1|; and no closer than numbers are to one another.
        bound = change * (gamma / (1 - gamma) if gamma < 1 else 1)
        if bound <= tolerance or change <= 2 * np.spacing(np.abs(v_S).max()):
            return v_S
    raise DataError("values still change after many sweeps: they may have no limit", sweeps=SWEEPS_LIMIT, gamma=gamma,
                    change=f"{change:.3g}", allowed="gamma below 1, or no cycle of positive reward",
                    remedy="lower gamma")  # fmt: skip


def _endless(mdp: FiniteMDP, state: Any) -> DataError:
    return DataError("with gamma = 1, never ending pays: a cycle has a positive reward, and values have no limit",
                     state=state, gamma=1, allowed="gamma below 1, or no such cycle", remedy="lower gamma")  # fmt: skip


def _check_gamma(gamma: float) -> None:
    if not 0 <= gamma <= 1:
        raise DataError("discount rate is out of range", value=gamma, allowed="0 to 1", remedy="change gamma")


def _check_policy(mdp: FiniteMDP, policy_SA: NDArray) -> None:
    if policy_SA.shape != mdp.available_SA.shape:
        raise DataError("not a policy: another shape", value=policy_SA.shape, allowed=mdp.available_SA.shape,
                        remedy="give pi(a | s) as states x actions")  # fmt: skip
    live_S1 = ~mdp.terminal[:, None]
    off_SA = live_S1 & ~((policy_SA >= 0) & np.where(mdp.available_SA, True, policy_SA == 0))
    if off_SA.any():
        s, a = np.unravel_index(off_SA.argmax(), off_SA.shape)
        raise DataError("not a policy: no such probability of the action", state=mdp.states[s], action=mdp.actions[a],
                        value=float(policy_SA[s, a]), allowed="at least 0; 0 where the state lacks the action",
                        remedy="mend the policy")  # fmt: skip
    sums_S = policy_SA.sum(axis=1)
    off_S = ~mdp.terminal & (np.abs(sums_S - 1) > 1e-9)
    if off_S.any():
        s = int(off_S.argmax())
        raise DataError("not a policy: probabilities do not sum to 1", state=mdp.states[s], value=float(sums_S[s]),
                        allowed="1", remedy="mend the policy")  # fmt: skip
