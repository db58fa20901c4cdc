"""Gridworlds whose only reward is at the goal, and what an environment must have to be learned from here.

All of them are gymnasium environments, made through its registry, so that another one with a finite number of states
and actions can stand in their place: `rl_intro.learning.world` in params.yaml. Like gymnasium's own toy worlds they
have their dynamics as a table `P[state][action]`, a list of (probability, next state, reward, terminated).

Source: Sutton and Barto, Reinforcement Learning, 2nd ed., figures 8.2 (Dyna maze), 8.4 (blocking) and 8.5 (shortcut).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import gymnasium
import numpy as np

from postproof.core.errors import ParamsError

Outcomes = list[tuple[float, int, float, bool]]
Table = Mapping[int, Mapping[int, Outcomes]]

START, GOAL, WALL = "S", "G", "#"
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left: rows, columns

DYNA_MAZE = (
    ".......#G",
    "..#....#.",
    "S.#....#.",
    "..#......",
    ".....#...",
    ".........",
)
OPEN_RIGHT = ("........G", ".........", ".........", "########.", ".........", "...S.....")
OPEN_LEFT = ("........G", ".........", ".........", ".########", ".........", "...S.....")
OPEN_BOTH = ("........G", ".........", ".........", ".#######.", ".........", "...S.....")


class GridWorld(gymnasium.Env):
    """One agent on a map. A step into a wall or off the map stays where it is; the goal gives 1 and ends the episode.

    A state is a cell, counted along the rows. `slip` is the probability that a random move is made in place of the
    chosen one.
    """

    def __init__(self, cells: Sequence[str], slip: float = 0.0):
        self.cells = tuple(cells)
        self.shape = len(cells), len(cells[0])
        self.observation_space = gymnasium.spaces.Discrete(self.shape[0] * self.shape[1])
        self.action_space = gymnasium.spaces.Discrete(len(MOVES))
        flat = "".join(self.cells)
        self.initial_state_distrib = np.array([cell == START for cell in flat], dtype=float)
        self.start = flat.index(START)
        self.P = {state: {action: self._outcomes(state, action, slip) for action in range(len(MOVES))}
                  for state in range(len(flat))}  # fmt: skip

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = self.start
        return self.state, {}

    def step(self, action):
        outcomes = self.P[self.state][action]
        _, self.state, reward, ended = outcomes[0] if len(outcomes) == 1 else self._drawn(outcomes)
        return self.state, reward, ended, False, {}

    def _drawn(self, outcomes: Outcomes) -> tuple[float, int, float, bool]:
        left = self.np_random.random()
        for outcome in outcomes:
            left -= outcome[0]
            if left < 0:
                return outcome
        return outcomes[-1]

    def _outcomes(self, state: int, action: int, slip: float) -> Outcomes:
        if self._cell(state) in (GOAL, WALL):  # nobody acts there: as gymnasium has it in its tables
            return [(1.0, state, 0.0, True)]
        chances = dict.fromkeys(map(self._moved, [state] * len(MOVES), MOVES), 0.0) if slip else {}
        for move in MOVES if slip else ():
            chances[self._moved(state, move)] += slip / len(MOVES)
        meant = self._moved(state, MOVES[action])
        chances[meant] = chances.get(meant, 0.0) + 1 - slip
        reached = {after: self._cell(after) == GOAL for after in chances}
        return [(chance, after, float(reached[after]), reached[after]) for after, chance in chances.items()]

    def _moved(self, state: int, move: tuple[int, int]) -> int:
        rows, columns = self.shape
        row, column = state // columns + move[0], state % columns + move[1]
        outside = not (0 <= row < rows and 0 <= column < columns)
        return state if outside or self.cells[row][column] == WALL else row * columns + column

    def _cell(self, state: int) -> str:
        return self.cells[state // self.shape[1]][state % self.shape[1]]


class ChangingWorld(GridWorld):
    """A map that is another one after `change_after` steps, counted over all episodes; an agent is told nothing."""

    def __init__(self, cells: Sequence[str], later_cells: Sequence[str], change_after: int):
        super().__init__(cells)
        self.later, self.change_after, self.steps = GridWorld(later_cells), change_after, 0

    def step(self, action):
        if self.steps == self.change_after:
            self.cells, self.P = self.later.cells, self.later.P
        self.steps += 1
        return super().step(action)


DYNA, SLIPPERY = "postproof/DynaMaze-v0", "postproof/SlipperyMaze-v0"
BLOCKING, SHORTCUT = "postproof/BlockingMaze-v0", "postproof/ShortcutMaze-v0"


def register() -> None:
    """Puts the worlds of this file into gymnasium's registry, once."""
    if DYNA in gymnasium.registry:
        return
    # The classes themselves, not their names: the tracker of code follows what is named here.
    gymnasium.register(DYNA, entry_point=GridWorld, kwargs={"cells": DYNA_MAZE})
    gymnasium.register(SLIPPERY, entry_point=GridWorld, kwargs={"cells": DYNA_MAZE, "slip": 0.2})
    for name, later in ((BLOCKING, OPEN_LEFT), (SHORTCUT, OPEN_BOTH)):
        before = OPEN_RIGHT if name == BLOCKING else OPEN_LEFT
        gymnasium.register(name, entry_point=ChangingWorld, kwargs={"cells": before, "later_cells": later})


def make(name: str, **options) -> gymnasium.Env:
    """The environment of this name in gymnasium's registry, `options` as it takes them.

    Raises ParamsError when there is none, when it needs a package that is not installed, when its observations or
    actions are not numbers from 0 on, when it has no table of its dynamics, or when it cannot be ended.
    """
    register()
    try:
        env = gymnasium.make(name, disable_env_checker=True, **options)
    except gymnasium.error.DependencyNotInstalled as error:
        raise _refused(name, "needs a package that is not installed") from error
    except (gymnasium.error.Error, ImportError) as error:
        raise _refused(name, "is no environment of gymnasium's registry") from error
    for space, whose in ((env.observation_space, "observations"), (env.action_space, "actions")):
        if not isinstance(space, gymnasium.spaces.Discrete) or space.start != 0:
            raise _refused(name, f"has other {whose} than numbers from 0 on: {space}")
    if not hasattr(env.unwrapped, "P"):
        raise _refused(name, "has no table P of its dynamics, from which the exact values come")
    if not _can_end(env.unwrapped.P):
        raise _refused(name, "has states from which no episode ends")
    return env


def _can_end(table: Table) -> bool:
    """Whether an end can be reached from every state: then random actions end every episode."""
    ending: set[int] = set()
    while True:
        nearer = {state for state, actions in table.items() if state not in ending and any(
            chance > 0 and (ended or after in ending)
            for outcomes in actions.values() for chance, after, _, ended in outcomes)}  # fmt: skip
        if not nearer:
            return len(ending) == len(table)
        ending |= nearer


def _refused(name: str, why: str) -> ParamsError:
    return ParamsError(f"a world that {why}", value=name, allowed=ALLOWED, remedy="name another world")


ALLOWED = f"one of gymnasium with Discrete spaces, a table P and an end, such as {DYNA}, FrozenLake-v1, CliffWalking-v1"


def starts(env: gymnasium.Env) -> list[int]:
    """The states in which an episode may begin; all, when the environment does not say."""
    chances = getattr(env.unwrapped, "initial_state_distrib", np.ones(env.observation_space.n))
    return [int(state) for state in np.flatnonzero(chances)]


def grid(env: gymnasium.Env) -> tuple[int, int]:
    """Rows and columns in which the states lie; nearly a square where the world is no grid."""
    world, states = env.unwrapped, int(env.observation_space.n)
    if hasattr(world, "shape"):
        return tuple(world.shape)
    columns = getattr(world, "ncol", math.isqrt(states - 1) + 1)
    return -(-states // columns), columns
