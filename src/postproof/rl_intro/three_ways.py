"""Supervised, unsupervised and reinforcement learning from one recorded random walk: what each is told, what each gets.

    supervised      the right action in some states; elsewhere that of the nearest such state
    unsupervised    nothing but which state followed which: groups of states, and no reason to prefer an action
    recorded        the rewards of the walk: Q-learning (6.8) over its transitions, again and again, in random order
    interaction     rewards of its own: Q-learning that acts, for as many steps

Each way is worth what its policy gets from the start, exactly. Source: Sutton and Barto, 2nd ed., section 1.1.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from postproof.core import settings, tables
from postproof.mdp import finite, solve
from postproof.mdp.finite import FiniteMDP
from postproof.rl_intro import exact, learners, worlds
from postproof.rl_intro.settings import ThreeWays

Transition = tuple[int, int, float, int, bool]  # s, a, r, s', whether the episode ended
KMEANS_ROUNDS = 100  # far more than it takes to settle


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, nargs=2, help="params sections rl_intro.learning, .three_ways")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, a row per way and seed")
    parser.add_argument("--out-clusters", type=Path, required=True, help="tidy CSV, a row per seed")


def main(args) -> None:
    wanted = settings.parse(ThreeWays, *args.settings)
    studies = [Study(wanted, seed) for seed in wanted.seeds]
    tables.write(args.out, pd.DataFrame([row for study in studies for row in study.rows()]), "rl_intro/three_ways")
    tables.write(args.out_clusters, pd.DataFrame([study.structure() for study in studies]), "rl_intro/clusters")


class Study:
    """The walk of one seed, and what is learned from it."""

    def __init__(self, settings: ThreeWays, seed: int):
        self.settings, self.seed = settings, seed
        self.env = worlds.make(settings.world, max_episode_steps=settings.longest_episode)
        self.mdp: FiniteMDP = finite.from_gymnasium(self.env)
        self.starts = worlds.starts(self.env)
        self.acting = exact.acting_states(self.mdp, self.starts)
        v_S, q_SA = solve.optimal(self.mdp, settings.discount)
        self.best_return, self.best_SA = float(v_S[self.starts].mean()), solve.greedy(q_SA)
        self.acts, self.chooses = learners.generators(seed)
        self.walk = self.record()

    def record(self) -> list[Transition]:
        """Transitions of random actions."""
        walk, (state, _) = [], self.env.reset(seed=self.seed)
        for action in self.acts.integers(self.env.action_space.n, size=self.settings.transitions).tolist():
            after, reward, ended, cut_off, _ = self.env.step(action)
            walk.append((state, action, float(reward), after, ended))
            state = self.env.reset()[0] if ended or cut_off else after
        return walk

    def rows(self) -> list[dict]:
        rewards = sum(reward != 0 for _, _, reward, _, _ in self.walk)
        own_rewards, own_SA = self.interaction()
        return [
            *(self.row("supervised", self.supervised(labels), labels=labels) for labels in self.label_counts()),
            self.row("unsupervised", solve.uniform(self.mdp)),
            self.row("recorded", exact.greedy_policy(self.recorded()), rewards=rewards),
            self.row("interaction", exact.greedy_policy(own_SA), rewards=own_rewards),
        ]  # fmt: skip

    def row(self, way: str, policy_SA: NDArray, labels: int = 0, rewards: int = 0) -> dict:
        """What a way was told, what its policy gets, and how often it is right: over states, over its own steps."""
        right_S = (policy_SA * self.best_SA).sum(axis=1)
        visited_S = exact.visits(self.mdp, policy_SA, self.settings.discount, self.starts)
        return {"world": self.settings.world, "way": way, "labels": labels, "seed": self.seed, "rewards": rewards,
                "best_return": self.best_return,
                "return": exact.expected_return(self.mdp, policy_SA, self.settings.discount, self.starts),
                "right_states": right_S[self.acting].mean(),
                "right_steps": min(1.0, (right_S * visited_S).sum())}  # fmt: skip

    def label_counts(self) -> list[int]:
        """As in the settings; no more than there are states."""
        return sorted({min(labels, len(self.acting)) for labels in self.settings.labels})

    def supervised(self, labels: int) -> NDArray:
        """pi(a | s): the label of the nearest labelled state, in steps along rows and columns."""
        order = np.random.Generator(np.random.SFC64([self.seed, 2])).permutation(self.acting)
        known = order[:labels]  # so that fewer labels are some of the more
        columns = worlds.grid(self.env)[1]
        row_S, column_S = np.divmod(np.arange(len(self.mdp.states)), columns)
        distance_SL = np.abs(row_S[:, None] - row_S[known]) + np.abs(column_S[:, None] - column_S[known])
        label_L = self.best_SA[known].argmax(axis=1)
        return solve.only(label_L[distance_SL.argmin(axis=1)], self.mdp)

    def recorded(self) -> NDArray:
        """q(s, a), learned from the walk alone."""
        agent = self.agent(epsilon=0.0)
        for _ in range(self.settings.passes):
            for i in self.chooses.permutation(len(self.walk)).tolist():
                agent.learn(*self.walk[i])
        return exact.on_states(np.array(agent.q_SA), self.mdp)

    def interaction(self) -> tuple[int, NDArray]:
        """Rewards that were not 0, and q(s, a)."""
        agent = self.agent(epsilon=self.settings.epsilon)
        taken = itertools.islice(learners.steps(self.env, agent, self.seed), self.settings.transitions)
        return sum(reward != 0 for reward, _ in taken), exact.on_states(np.array(agent.q_SA), self.mdp)

    def agent(self, epsilon: float) -> learners.QLearning:
        rates = dataclasses.replace(self.settings, epsilon=epsilon)
        return learners.QLearning(int(self.env.observation_space.n), int(self.env.action_space.n), rates, self.acts)

    def structure(self) -> dict:
        """The share of recorded moves that stay within a group of states: as found, and with groups drawn at random.

        Groups are k-means on the slowest modes of the walk: eigenvectors of D^-1/2 W D^-1/2, W counting moves.
        """
        moves = np.array([(s, after) for s, _, _, after, _ in self.walk if s != after])
        seen, index = np.unique(moves, return_inverse=True)
        a, b = index.reshape(moves.shape).T
        weight = np.zeros((len(seen), len(seen)))
        np.add.at(weight, (a, b), 1.0)
        weight += weight.T
        root_S = np.sqrt(weight.sum(axis=1))
        k = min(self.settings.clusters, len(seen))
        modes_SK = np.linalg.eigh(weight / root_S[:, None] / root_S)[1][:, -k:] / root_S[:, None]
        group_S = k_means(modes_SK, k)
        chance_S = self.chooses.permutation(group_S)
        return {"seed": self.seed, "within": (group_S[a] == group_S[b]).mean(),
                "by_chance": (chance_S[a] == chance_S[b]).mean()}  # fmt: skip


def k_means(points_NK: NDArray, k: int) -> NDArray:
    """The group of each point, (N,). It begins with points far from one another, so that nothing is drawn."""
    centres = [points_NK[0]]
    while len(centres) < k:
        distance_N = np.min([((points_NK - centre) ** 2).sum(axis=1) for centre in centres], axis=0)
        centres.append(points_NK[distance_N.argmax()])
    group_N = np.zeros(len(points_NK), dtype=int)
    for _ in range(KMEANS_ROUNDS):
        squares_NK = ((points_NK[:, None] - np.array(centres)) ** 2).sum(axis=2)
        before_N, group_N = group_N, squares_NK.argmin(axis=1)
        centres = [points_NK[group_N == g].mean(axis=0) if (group_N == g).any() else centres[g] for g in range(k)]
        if (group_N == before_N).all():
            break
    return group_N
