"""Runs of several agents on the same problems, and what is seen of them: curves, scores, and duels.

A curve has windows of steps that grow with them: mean over problems, and its standard error. A score is the mean over a
stretch of the run. A duel is the mean difference of two agents within each problem: they had the same values, noise and
exploring numbers, so that most of the luck drops out.

P problems, W windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numba
import numpy as np
import pandas as pd

from postproof.bandits.games import Contexts, Problems, blocks
from postproof.bandits.plays import Agent, play

SIGMAS = 1.959963984540054  # of a normal distribution, on either side: 95 %
MEASURES = ("reward", "best_share")
TENTH = 10


class Sums(NamedTuple):
    """Of one agent, by problem and window."""

    reward_PW: np.ndarray
    best_share_PW: np.ndarray  # steps at which the arm was a best one


class Run(NamedTuple):
    edges: np.ndarray  # W + 1 steps: window w is edges[w] + 1 .. edges[w + 1]
    sums: dict[str, Sums]

    def stretches(self) -> dict[str, slice]:
        """Windows of the whole run, its second half, and its first and last tenth."""
        early, middle, late = (int(np.searchsorted(self.edges, at)) for at in _parts(self.edges[-1]))
        end = len(self.edges) - 1
        return {"all": slice(0, end), "first": slice(0, early), "second_half": slice(middle, end),
                "last": slice(late, end)}  # fmt: skip


def window_edges(steps: int, per_decade: int) -> np.ndarray:
    """So many windows for ten times as many steps, as far as there are steps; parted where stretches begin and end."""
    count = max(2, int(np.ceil(per_decade * np.log10(max(steps, 2)))))
    edges = np.rint(np.geomspace(1, steps, count)).astype(np.int64)
    return np.unique(np.concatenate([edges, [0, *_parts(steps), steps]]))


def _parts(steps: int) -> tuple[int, int, int]:
    """Where the first tenth ends, the second half and the last tenth begin; at least a step each."""
    tenth = -(-steps // TENTH)
    return tenth, steps // 2, steps - tenth


def run(agents: Mapping[str, Agent], problems: Problems | Contexts, seed: int, edges: np.ndarray) -> Run:
    """Every agent on every problem."""
    shape = (problems.problems, len(edges) - 1)
    sums = {name: Sums(np.empty(shape), np.empty(shape)) for name in agents}
    first = 0
    for games in blocks(problems, seed):
        rows = slice(first, first + len(games.noise_BT))
        for name, agent in agents.items():
            played = play(agent, games)
            _add_up(played.reward_BT, edges, sums[name].reward_PW[rows])
            _add_up(played.best_BT, edges, sums[name].best_share_PW[rows])
        first = rows.stop
    return Run(edges, sums)


@numba.njit
def _add_up(number_BT, edges, sum_BW):
    for b in range(number_BT.shape[0]):
        for w in range(len(edges) - 1):
            total = 0.0
            for t in range(edges[w], edges[w + 1]):
                total += number_BT[b, t]
            sum_BW[b, w] = total


def mean_and_error(number_PX: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Over problems, row by row: the mean and its standard error (0 of a single problem), (X,)."""
    problems = len(number_PX)
    mean_X = number_PX.sum(axis=0) / problems
    squares_X = ((number_PX - mean_X) ** 2).sum(axis=0)
    return mean_X, np.sqrt(squares_X / max(problems - 1, 1) / problems)


def curves(run: Run) -> pd.DataFrame:
    """A row for each agent and window."""
    length_W = np.diff(run.edges)
    parts = []
    for name, sums in run.sums.items():
        columns = {"agent": name, "first_step": run.edges[:-1] + 1, "last_step": run.edges[1:]}
        for measure, sum_PW in zip(MEASURES, sums):
            columns[measure], columns[f"{measure}_error"] = mean_and_error(sum_PW / length_W)
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def scores(run: Run) -> pd.DataFrame:
    """A row for each agent and stretch."""
    rows = []
    for name in run.sums:
        for stretch in run.stretches():
            row: dict[str, object] = {"agent": name, "stretch": stretch}
            for measure in MEASURES:
                [mean], [error] = mean_and_error(per_step(run, name, measure, stretch)[:, None])
                row |= {measure: mean, f"{measure}_error": error}
            rows.append(row)
    return pd.DataFrame(rows)


def duels(run: Run, pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """A row for each pair, stretch and measure: how much more the first has, and an interval of 95 %."""
    rows = []
    for agent, against in pairs:
        for stretch in run.stretches():
            for measure in MEASURES:
                gap_P = per_step(run, agent, measure, stretch) - per_step(run, against, measure, stretch)
                [mean], [error] = mean_and_error(gap_P[:, None])
                rows.append({"agent": agent, "against": against, "stretch": stretch, "measure": measure,
                             "difference": mean, "low": mean - SIGMAS * error, "high": mean + SIGMAS * error,
                             "ahead": np.count_nonzero(gap_P > 0) / len(gap_P)})  # fmt: skip
    return pd.DataFrame(rows)


def per_step(run: Run, agent: str, measure: str, stretch: str) -> np.ndarray:
    """The mean of each problem over a stretch, (P,)."""
    windows = run.stretches()[stretch]
    sum_WP = np.ascontiguousarray(getattr(run.sums[agent], f"{measure}_PW")[:, windows].T)
    return sum_WP.sum(axis=0) / (run.edges[windows.stop] - run.edges[windows.start])
