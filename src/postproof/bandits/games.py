"""Bandit problems with all the random numbers of their steps: agents that are compared play the same ones.

Values, noise of the rewards, the agents' own choices and walks have a generator each, so that what one kind of problem
does without changes nothing of the rest, and blocks may be of any size.

B problems of a block, K arms, T steps, S situations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from postproof.bandits.plays import Games

BLOCK = 25  # problems: their numbers stay in a processor's cache


@dataclasses.dataclass(frozen=True)
class Problems:
    """So many problems alike. With several `situations` the values change as often, after equal numbers of steps: they
    are drawn anew, or, with a `rise`, stay but for the worst arm, which then has that much more than the best one.
    """

    problems: int
    steps: int
    arms: int
    value_mean: float = 0.0
    value_sd: float = 1.0
    reward_sd: float = 1.0
    walk_sd: float = 0.0  # added to every value after every step (book, exercise 2.5)
    situations: int = 1
    rise: float = 0.0


@dataclasses.dataclass(frozen=True)
class Contexts:
    """The same problem so many times: at each step a coin, or a die, says which situation has its values."""

    values_SK: tuple[tuple[float, ...], ...]
    problems: int
    steps: int
    reward_sd: float

    @property
    def arms(self) -> int:
        return len(self.values_SK[0])


def blocks(problems: Problems | Contexts, seed: int) -> Iterator[Games]:
    """All problems in order, some at a time."""
    streams = [np.random.Generator(np.random.SFC64(sequence)) for sequence in np.random.SeedSequence(seed).spawn(4)]
    for first in range(0, problems.problems, BLOCK):
        size = min(BLOCK, problems.problems - first)
        draw = _contexts if isinstance(problems, Contexts) else _problems
        yield draw(problems, size, *streams)


def best_values(problems: Problems, seed: int) -> np.ndarray:
    """The highest value of each problem before its first step, (P,)."""
    stream = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed).spawn(4)[0]))
    shape = (problems.problems, problems.situations, problems.arms)
    return (problems.value_mean + problems.value_sd * stream.standard_normal(shape))[:, 0].max(axis=1)


def _problems(of: Problems, size: int, values, noise, uniforms, walks) -> Games:
    values_BSK = of.value_mean + of.value_sd * values.standard_normal((size, of.situations, of.arms))
    if of.rise:
        values_BSK = np.repeat(values_BSK[:, :1], of.situations, axis=1)
        for values_SK in values_BSK:
            values_SK[1:, values_SK[0].argmin()] = values_SK[0].max() + of.rise
    walk_BTK = of.walk_sd * walks.standard_normal((size, of.steps if of.walk_sd else 0, of.arms))
    situation_T = np.arange(of.steps) * of.situations // of.steps
    return Games(
        values_BSK=values_BSK,
        walk_BTK=walk_BTK,
        situation_BT=np.tile(situation_T.astype(np.int8), (size, 1)),
        noise_BT=of.reward_sd * noise.standard_normal((size, of.steps)),
        uniform_BT=uniforms.random((size, of.steps)),
    )


def _contexts(of: Contexts, size: int, values, noise, uniforms, walks) -> Games:
    """The stream of the values says which situation comes."""
    situations = len(of.values_SK)
    return Games(
        values_BSK=np.tile(np.array(of.values_SK, float), (size, 1, 1)),
        walk_BTK=np.empty((size, 0, of.arms)),
        situation_BT=values.integers(situations, size=(size, of.steps), dtype=np.int8),
        noise_BT=of.reward_sd * noise.standard_normal((size, of.steps)),
        uniform_BT=uniforms.random((size, of.steps)),
    )
