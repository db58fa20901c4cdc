"""Value iteration on gridworlds of 10^2 to 10^6 cells, ours beside quantecon's: seconds, and memory that solving takes.

Both get the same transitions, sparse, and stop when v is known to the same tolerance. Each row is ours over theirs.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

from postproof.benchmarks.runner import Row, in_turns, ratios

SIDES = (10, 32, 100, 316, 1000)  # cells in a row: 10^2, 10^3 ... 10^6 states
GAMMA, TOLERANCE = 0.9, 1e-6
TURNS = {10: 15, 32: 15, 100: 7, 316: 3, 1000: 1}
WAYS = ("ours", "quantecon")


def rows() -> Iterator[Row]:
    for side in SIDES:
        ways = {name: solver(name, side) for name in WAYS}
        seconds, peaks = measured(ways, TURNS[side])
        states = side * side
        yield Row.of(f"mdp_seconds_{states}_states", ratios(seconds["ours"], seconds["quantecon"]), 1)
        yield Row.of(f"mdp_peak_bytes_{states}_states", [peaks["ours"] / peaks["quantecon"]], 1.05)


def solver(name: str, side: int) -> Callable[[], object]:
    """Value iteration on a grid with a goal in its corner, everything that can be prepared being so."""
    import numpy as np

    from postproof.mdp import finite, solve

    mdp = finite.gridworld(side, side, goals={(side - 1, side - 1): 1.0})
    if name == "ours":
        mdp.transitions_XS, mdp.expected_rewards_SA()
        return lambda: solve.value_iteration(mdp, GAMMA, TOLERANCE)
    from quantecon.markov import DiscreteDP
    from scipy.sparse import csr_matrix, identity, vstack

    # quantecon wants an action in every state: the goal leads to itself for nothing.
    state, action = np.nonzero(mdp.available_SA)
    pairs = csr_matrix(mdp.transitions_XS)[state * len(mdp.actions) + action]
    goals = np.flatnonzero(mdp.terminal)
    transitions = vstack([pairs, identity(len(mdp.states), format="csr")[goals]], format="csr")
    rewards = np.append(mdp.expected_rewards_SA()[state, action], np.zeros(len(goals)))
    process = DiscreteDP(rewards, transitions, GAMMA, np.append(state, goals), np.append(action, 0 * goals))
    # Its epsilon bounds the value of the policy found; v is within half of it.
    return lambda: process.solve(method="value_iteration", epsilon=2 * TOLERANCE, max_iter=10_000)


def measured(ways: dict[str, Callable[[], object]], turns: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds of each way by turn; and the most memory that it took at once in a run before these."""
    peaks = {}
    for name, way in ways.items():
        tracemalloc.start()
        way()
        peaks[name] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return in_turns(ways, turns, untimed=0), peaks
