"""The section `mdp` of params.yaml: what may stand there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from postproof.core.settings import (
    Count,
    Position,
    Relation,
    Seeds,
    Settings,
    Share,
    Text,
    above,
    at_least,
    at_most,
    below,
    items,
    keys,
)

Cell = Annotated[tuple[Position, ...], items(at_least=2, at_most=2, unique=False)]  # row and column, from the top left
# A discount rate, and one of a task that may never end.
Discounts = Annotated[tuple[Share, ...], items()]
ContinuingDiscount = Annotated[float, at_least(0), below(1)]
Reward = Annotated[float, at_least(-1e6), at_most(1e6)]
Small = Annotated[int, at_least(1), at_most(1000)]


class Examples(Settings):
    robot: Text  # path of a YAML file
    environments: Annotated[tuple[Text, ...], items()]

    def relations(self) -> Iterator[Relation]:
        yield Relation(Path(self.robot).is_file(), "robot", self.robot, "path of a YAML file", "no such file",
                       "change it")  # fmt: skip


class Random(Settings):
    seeds: Seeds
    mdps: Small
    states: Small
    actions: Annotated[int, at_least(2), at_most(100)]
    successors: Count

    def relations(self) -> Iterator[Relation]:
        allowed = f"at most states ({self.states})"
        yield Relation(self.successors <= self.states, "successors", self.successors, allowed)


class BackupDiagram(Settings):
    state: Text  # of the robot
    action: Text
    gamma: ContinuingDiscount


class Jump(Settings):
    at: Cell
    to: Cell
    reward: Reward


class Gridworld(Settings):
    rows: Small
    columns: Small
    jumps: Annotated[dict[str, Jump], keys("^[A-Z]$")]
    bump_reward: Reward
    gamma: ContinuingDiscount

    def relations(self) -> Iterator[Relation]:
        allowed = f"rows below {self.rows}, columns below {self.columns}"
        for name, jump in self.jumps.items():
            for key, cell in (("at", jump.at), ("to", jump.to)):
                inside = cell[0] < self.rows and cell[1] < self.columns
                yield Relation(inside, f"jumps.{name}.{key}", list(cell), allowed)
        starts = [jump.at for jump in self.jumps.values()]
        yield Relation(len(set(starts)) == len(starts), "jumps", list(map(list, starts)), "one jump from a cell")


class Discounting(Settings):
    gammas: Discounts
    steps: Small
    seed: Position
    rewards: Annotated[int, at_least(2), at_most(10_000)]


class Enumerated(Settings):
    mdps: Small
    states: Annotated[int, at_least(1), at_most(6)]  # actions^states policies are tried
    actions: Annotated[int, at_least(2), at_most(4)]


class Identities(Settings):
    gamma: ContinuingDiscount
    tolerance: Annotated[float, at_least(1e-13), at_most(1e-6)]
    agree_within: Annotated[float, at_least(1e-9), at_most(1e-3)]
    seed: Position
    policies: Small
    enumerated: Enumerated


class ActingOnV(Settings):
    gammas: Annotated[tuple[ContinuingDiscount, ...], items()]


class Race(Settings):
    moves_to_mate: Annotated[int, at_least(1), at_most(50)]
    opponent_moves: Annotated[int, at_least(1), at_most(50)]
    opponent_success: Annotated[float, above(0), at_most(1)]
    captures: Annotated[int, at_least(1), at_most(50)]


class Design(Settings):
    mate: Annotated[float, above(0), at_most(1e6)]
    mated: Annotated[float, at_least(-1e6), at_most(0)]
    capture: Annotated[float, at_least(0), at_most(1e6)]


class RewardDesign(Settings):
    gamma_step: Annotated[float, at_least(0.001), at_most(0.5)]
    designs: Annotated[dict[str, Design], keys("^[a-z_]+$"), {"minProperties": 1}]
    bonuses: Annotated[tuple[Annotated[float, above(0), at_most(1e6)], ...], items()]
    tolerance: Annotated[float, at_least(1e-9), at_most(0.1)]
    acted_on: Text

    def relations(self) -> Iterator[Relation]:
        from postproof.mdp import looks  # here: no table depends on colours

        allowed = f"one of designs ({', '.join(self.designs)})"
        yield Relation(self.acted_on in self.designs, "acted_on", self.acted_on, allowed)
        for name in self.designs:
            drawn = f"a design that the chart can draw: {', '.join(looks.DESIGNS)}"
            yield Relation(name in looks.DESIGNS, "designs", name, drawn, "no look for it",
                           "take another, or give it a look in postproof/mdp/looks.py")  # fmt: skip


class Navigation(Settings):
    rows: Small
    columns: Small
    walls: Annotated[tuple[Cell, ...], items(at_least=0)]
    goal: Cell
    goal_reward: Reward
    step_reward: Annotated[float, at_least(-1e6), at_most(0)]
    bump_reward: Annotated[float, at_least(-1e6), at_most(0)]
    gammas: Discounts

    def relations(self) -> Iterator[Relation]:
        allowed = f"rows below {self.rows}, columns below {self.columns}"
        for key, cells in (("walls", self.walls), ("goal", [self.goal])):
            for cell in cells:
                yield Relation(cell[0] < self.rows and cell[1] < self.columns, key, list(cell), allowed)
        yield Relation(
            tuple(self.goal) not in set(map(tuple, self.walls)), "goal", list(self.goal), "a cell without wall"
        )


class SparseReward(Settings):
    seeds: Seeds
    lengths: Annotated[tuple[Annotated[int, at_least(2), at_most(200)], ...], items()]
    alpha: Annotated[float, above(0), at_most(1)]
    gamma: Annotated[float, above(0), below(1)]
    epsilon: Share
    most_moves: Count


class Params(Settings):
    """The whole section."""

    examples: Examples
    random: Random
    backup_diagram: BackupDiagram
    gridworld: Gridworld
    discounting: Discounting
    identities: Identities
    acting_on_v: ActingOnV
    race: Race
    reward_design: RewardDesign
    sparse_reward: SparseReward
    navigation: Navigation
