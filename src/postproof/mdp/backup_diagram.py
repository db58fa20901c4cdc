"""The nodes of four backup diagrams (Sutton and Barto, 2nd ed., pages 59 to 64), drawn from a table p(s', r | s, a).

    v, v_star   a state, its actions, and what may follow each: v_pi(s), v*(s)
    q, q_star   a state-action pair, what may follow it, and the actions there: q_pi(s, a), q*(s, a)

pi is the equiprobable policy. A node's weight is the probability with which its parent leads to it: pi(a | s) or
p(s', r | s, a); under v* and q* an action has none, since its parent takes the largest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import settings, tables
from postproof.core.errors import ParamsError
from postproof.mdp import finite, solve
from postproof.mdp.finite import FiniteMDP
from postproof.mdp.settings import BackupDiagram

STATE, ACTION = "state", "action"


def add_arguments(parser) -> None:
    parser.add_argument("--mdp", type=Path, required=True, help="finite MDP in YAML")
    parser.add_argument("--settings", required=True, help="params section mdp.backup_diagram, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per node")


def main(args) -> None:
    mdp = finite.from_yaml(args.mdp)
    tables.write(args.out, diagrams(mdp, settings.parse(BackupDiagram, args.settings)), "mdp/backup_diagram")


def diagrams(mdp: FiniteMDP, settings: BackupDiagram) -> pd.DataFrame:
    """Raises ParamsError when the MDP has no such state, or the state no such action."""
    s = _index(mdp.states, settings.state, "mdp.backup_diagram.state")
    here = [name for name, available in zip(mdp.actions, mdp.available_SA[s]) if available]
    _index(here, settings.action, "mdp.backup_diagram.action")
    a = mdp.actions.index(settings.action)
    policy_SA = solve.uniform(mdp)
    v_S = solve.evaluate(mdp, policy_SA, settings.gamma)
    optimal_S, optimal_SA = solve.optimal(mdp, settings.gamma)
    rows = []
    for name, values_S, values_SA, pi_SA in (
        ("v", v_S, solve.action_values(mdp, v_S, settings.gamma), policy_SA),
        ("v_star", optimal_S, optimal_SA, None),
    ):
        tree = _Tree(mdp, values_S, values_SA, pi_SA)
        rows += [(name, *row) for row in tree.of_state(s)]
        rows += [(name.replace("v", "q"), *row) for row in tree.of_pair(s, a)]
    columns = ["diagram", "node", "parent", "kind", "name", "value", "weight", "reward", "is_best"]
    return pd.DataFrame(rows, columns=columns).assign(gamma=settings.gamma)


def _index(names, name: str, key: str) -> int:
    if name not in names:
        raise ParamsError("the MDP has no such name", key=key, value=name, allowed=", ".join(names))
    return names.index(name)


class _Tree:
    """Rows of nodes: number, parent's number, kind, name, value, weight, reward, whether no sibling action beats it."""

    def __init__(self, mdp: FiniteMDP, v_S: np.ndarray, q_SA: np.ndarray, policy_SA: np.ndarray | None):
        self.mdp, self.v_S, self.q_SA, self.policy_SA = mdp, v_S, q_SA, policy_SA
        self.best_SA = solve.greedy(q_SA)
        self.nodes = 0

    def of_state(self, s: int) -> Iterator[tuple]:
        self.nodes = 0
        yield self.row(None, STATE, self.mdp.states[s], self.v_S[s])
        for a, row in self.actions(s, 0):
            yield row
            yield from (after for _, after in self.outcomes(s, a, row[0]))

    def of_pair(self, s: int, a: int) -> Iterator[tuple]:
        self.nodes = 0
        yield self.row(None, ACTION, self.mdp.actions[a], self.q_SA[s, a], is_best=self.best_SA[s, a])
        for after, row in self.outcomes(s, a, 0):
            yield row
            yield from (action for _, action in self.actions(after, row[0]))

    def actions(self, s: int, parent: int) -> Iterator[tuple[int, tuple]]:
        for a in np.flatnonzero(self.mdp.available_SA[s]):
            weight = None if self.policy_SA is None else self.policy_SA[s, a]
            yield a, self.row(parent, ACTION, self.mdp.actions[a], self.q_SA[s, a], weight, is_best=self.best_SA[s, a])

    def outcomes(self, s: int, a: int, parent: int) -> Iterator[tuple[int, tuple]]:
        mdp = self.mdp
        for i in np.flatnonzero((mdp.state == s) & (mdp.action == a)):
            after = mdp.next_state[i]
            name = mdp.states[after]
            yield after, self.row(parent, STATE, name, self.v_S[after], mdp.probability[i], mdp.reward[i])

    def row(self, parent, kind, name, value, weight=None, reward=None, is_best=False) -> tuple:
        self.nodes += 1
        return self.nodes - 1, parent, kind, name, value, weight, reward, int(is_best)
