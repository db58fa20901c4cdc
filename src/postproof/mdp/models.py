"""The finite MDPs of the post: its book's gridworld, a race to mate, random ones, those of files and gymnasium."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from postproof.core import settings
from postproof.mdp import finite
from postproof.mdp.finite import FiniteMDP
from postproof.mdp.settings import Design, Examples, Gridworld, Race, Random, RewardDesign

ATTACK, CAPTURE = 0, 1
MATE, MATED = "mate", "mated"


def book_gridworld(settings: Gridworld) -> FiniteMDP:
    """Example 3.5: from the cell of a jump every move leads to its target."""
    jumps = {tuple(jump.at): (tuple(jump.to), jump.reward) for jump in settings.jumps.values()}
    return finite.gridworld(settings.rows, settings.columns, jumps=jumps, bump_reward=settings.bump_reward)


def race(settings: Race, design: Design) -> FiniteMDP:
    """A race to mate, whose first state is the start: all moves to go, all pieces there.

    A state is "ours-theirs-pieces": attacks that we still need, successes that the opponent still needs, pieces that
    can be taken. Attack brings us closer; the last one mates. Capture takes a piece and its reward. After a move that
    does not mate the opponent succeeds with a fixed probability; its last success mates us.
    """
    alive = [
        (ours, theirs, pieces)
        for pieces in range(settings.captures, -1, -1)
        for theirs in range(settings.opponent_moves, 0, -1)
        for ours in range(settings.moves_to_mate, 0, -1)
    ]
    index = {state: i for i, state in enumerate(alive)}
    won, lost = len(alive), len(alive) + 1
    p = settings.opponent_success
    rows = []

    def opponent_moves(s: int, action: int, ours: int, theirs: int, pieces: int, reward: float) -> None:
        if p < 1:
            rows.append((s, action, index[ours, theirs, pieces], reward, 1 - p))
        hit = (lost, reward + design.mated) if theirs == 1 else (index[ours, theirs - 1, pieces], reward)
        rows.append((s, action, *hit, p))

    for s, (ours, theirs, pieces) in enumerate(alive):
        if ours == 1:
            rows.append((s, ATTACK, won, design.mate, 1.0))
        else:
            opponent_moves(s, ATTACK, ours - 1, theirs, pieces, 0.0)
        if pieces:
            opponent_moves(s, CAPTURE, ours, theirs, pieces - 1, design.capture)
    terminal = np.zeros(len(alive) + 2, dtype=bool)
    terminal[[won, lost]] = True
    names = (*("-".join(map(str, state)) for state in alive), MATE, MATED)
    return FiniteMDP(names, ("attack", "capture"), *map(np.array, zip(*rows)), terminal)


def with_rewards(mdp: FiniteMDP, reward_O: np.ndarray) -> FiniteMDP:
    """The same dynamics, with other rewards."""
    return FiniteMDP(mdp.states, mdp.actions, mdp.state, mdp.action, mdp.next_state, reward_O, mdp.probability,
                     mdp.terminal)  # fmt: skip


def random_mdps(settings: Random) -> Iterator[tuple[int, FiniteMDP]]:
    """Seed and MDP, as many of each seed as the settings have."""
    for seed in settings.seeds:
        rng = np.random.Generator(np.random.SFC64(seed))
        for _ in range(settings.mdps):
            yield seed, random_mdp(rng, settings.states, settings.actions, settings.successors)


def random_mdp(rng: np.random.Generator, states: int, actions: int, successors: int) -> FiniteMDP:
    """A continuing task: every pair has so many next states, with exponential weights and standard normal rewards."""
    shape = (states, actions, successors)
    next_SAN = np.argsort(rng.random((states, actions, states)), axis=-1)[..., :successors]
    weights_SAN = rng.exponential(size=shape)
    probability_SAN = weights_SAN / weights_SAN.sum(axis=-1, keepdims=True)
    state_SAN, action_SAN, _ = np.indices(shape)
    columns = (state_SAN, action_SAN, next_SAN, rng.standard_normal(shape), probability_SAN)
    names = tuple(map(str, range(states))), tuple(map(str, range(actions)))
    return FiniteMDP(*names, *(column.ravel() for column in columns), np.zeros(states, dtype=bool))


def of_state_alone(mdp: FiniteMDP) -> FiniteMDP:
    """The same dynamics, each state with one reward for all that happens in it: that of its first outcome."""
    _, first = np.unique(mdp.state, return_index=True)
    reward_S = np.zeros(len(mdp.states))
    reward_S[mdp.state[first]] = mdp.reward[first]
    return with_rewards(mdp, reward_S[mdp.state])


SECTIONS = ("examples", "random", "gridworld", "race", "designs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `of_sections` needs."""
    parser.add_argument("--robot", type=Path, required=True, help="finite MDP in YAML")
    for name in SECTIONS:
        parser.add_argument(f"--{name}", required=True, help="its section of params, as JSON")


def of_sections(args: argparse.Namespace) -> tuple[dict[str, FiniteMDP], list[tuple[int, FiniteMDP]]]:
    """The post's MDPs by name (gridworld, race, recycling_robot, gymnasium's), and the random ones with their seeds.

    Raises ParamsError for a section that is not valid, DataError for a robot that is no finite MDP.
    """
    designs = settings.parse(RewardDesign, args.designs)
    named = {
        "gridworld": book_gridworld(settings.parse(Gridworld, args.gridworld)),
        "race": race(settings.parse(Race, args.race), designs.designs[designs.acted_on]),
        "recycling_robot": finite.from_yaml(args.robot),
    }
    named |= {name: finite.from_gymnasium(name) for name in settings.parse(Examples, args.examples).environments}
    return named, list(random_mdps(settings.parse(Random, args.random)))
