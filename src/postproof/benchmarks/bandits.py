"""Three agents on 2,000 bandit problems of 1,000 steps, against the cost of their random numbers and against loops.

Every agent draws its own numbers here, a normal and a uniform one for each step, as if it were alone: in the jobs
agents share them, to be compared on the same problems, and draws weigh less.

All ways run in this process and thread in turn. Loops over fewer problems are scaled up. What numba costs at first use
is timed in processes of their own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from postproof.benchmarks.runner import Row, in_turns, ratios

ARMS, PROBLEMS, STEPS = 10, 2000, 1000
EPSILONS = (0.0, 0.01, 0.1)
LOOPED_PROBLEMS = 2
TURNS, STARTS = 7, 3
FIRST_USE = """
import time
start = time.perf_counter()
from postproof.bandits.agents import EpsilonGreedy
from postproof.bandits.games import Problems, blocks
from postproof.bandits.plays import play
imported = time.perf_counter()
play(EpsilonGreedy(2, 0.1), next(blocks(Problems(1, 1, 2), 0)))
print(imported - start, time.perf_counter() - imported)
"""


def rows() -> Iterator[Row]:
    """Targets: 2.5 times the draws at most; 300 times faster than a loop that does each step with NumPy."""
    seconds = in_turns({"play": play, "draws": draws, "plain": plain_loop, "numpy": numpy_loop}, TURNS)
    few = LOOPED_PROBLEMS / PROBLEMS
    yield Row.of("bandits_over_draws", ratios(seconds["play"], seconds["draws"]), 2.5)
    yield Row.of("bandits_over_numpy_loop", ratios(seconds["play"], seconds["numpy"], few), 1 / 300)
    # The classes that are there to be read: lists of floats, and numbers that were drawn before.
    yield Row.of("bandits_over_plain_loop", ratios(seconds["play"], seconds["plain"], few), 1 / 30)
    yield Row.of("numba_first_use_seconds", first_use(), 5, "s")


def problems(count: int):
    from postproof.bandits.games import Problems

    return Problems(count, STEPS, ARMS)


def draws() -> None:
    """All numbers of the three agents, and nothing else."""
    from postproof.bandits.games import blocks

    for seed in range(len(EPSILONS)):
        for _ in blocks(problems(PROBLEMS), seed):
            pass


def play() -> None:
    """Draws, plays, and the rewards and shares of each step summed over problems."""
    from postproof.bandits.agents import EpsilonGreedy
    from postproof.bandits.games import blocks
    from postproof.bandits.plays import play as play_block

    for seed, epsilon in enumerate(EPSILONS):
        reward_T = best_T = 0.0
        for games in blocks(problems(PROBLEMS), seed):
            played = play_block(EpsilonGreedy(ARMS, epsilon), games)
            reward_T, best_T = reward_T + played.reward_BT.sum(axis=0), best_T + played.best_BT.sum(axis=0)


def plain_loop() -> None:
    """The classes of agents.py, a step at a time."""
    from postproof.bandits.agents import EpsilonGreedy, step_by_step
    from postproof.bandits.games import blocks

    for seed, epsilon in enumerate(EPSILONS):
        for games in blocks(problems(LOOPED_PROBLEMS), seed):
            for one in zip(*games):
                step_by_step(EpsilonGreedy(ARMS, epsilon), *one)


def numpy_loop() -> None:
    """Step by step as most write it: arrays of ten arms, numbers drawn when they are needed, ties at random."""
    import numpy as np

    for seed, epsilon in enumerate(EPSILONS):
        rng = np.random.default_rng(seed)
        reward_T, best_T = np.zeros(STEPS), np.zeros(STEPS)
        for _ in range(LOOPED_PROBLEMS):
            values_K = rng.standard_normal(ARMS)
            best = values_K.argmax()
            q_K, n_K = np.zeros(ARMS), np.zeros(ARMS)
            for t in range(STEPS):
                if rng.random() < epsilon:
                    arm = rng.integers(ARMS)
                else:
                    arm = rng.choice(np.flatnonzero(q_K == q_K.max()))
                reward = rng.normal(values_K[arm], 1)
                n_K[arm] += 1
                q_K[arm] += (reward - q_K[arm]) / n_K[arm]
                reward_T[t] += reward
                best_T[t] += arm == best


def first_use() -> list[float]:
    """Seconds to import the loops and compile one, in a new process; all but its start."""
    seconds = []
    for _ in range(STARTS):
        ran = subprocess.run([sys.executable, "-c", FIRST_USE], check=True, capture_output=True, text=True)
        seconds.append(sum(map(float, ran.stdout.split())))
    return seconds
