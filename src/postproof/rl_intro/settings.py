"""The section `rl_intro` of params.yaml: what may stand there.

Experiments that learn have a section of their own, and all share `learning`: a job is handed both, as one class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from postproof.core.errors import ParamsError
from postproof.core.settings import (
    Count,
    Counts,
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
)

StepSize = Annotated[float, above(0), at_most(1)]
Power = Annotated[float, above(0.5), at_most(1)]  # of decreasing steps: those of (2.7)
AtLeastTwo = Annotated[int, at_least(2)]
Ways = Annotated[tuple[Count, ...], items(at_most=2)]  # of planning: a chart has looks for two


class Learning(Settings):
    """The world, and what all agents have in common."""

    world: Text  # of gymnasium's registry
    step_size: StepSize
    epsilon: Share  # of actions that are random
    discount: Annotated[float, at_least(0), below(1)]  # a learned policy may go in circles: its plain return has no end
    longest_episode: Count  # steps, after which it is cut off
    seeds: Seeds

    def relations(self) -> Iterator[Relation]:
        yield from is_a_world("world", self.world)


class LearningCurvesSection(Settings):
    episodes: AtLeastTwo
    planning_steps: Ways  # of each Dyna-Q agent, beside the one without
    reached_within: Annotated[float, at_least(1), at_most(10)]  # times the steps of the best policy that explores

    def relations(self) -> Iterator[Relation]:
        rising = list(self.planning_steps) == sorted(self.planning_steps)
        yield Relation(rising, "planning_steps", self.planning_steps, "numbers from small to large")


class Change(Settings):
    """A world that changes after so many steps."""

    steps: Count
    change_after: Count
    planning_steps: Count
    bonus: Annotated[float, above(0), at_most(1)]  # kappa, of Dyna-Q+

    def relations(self) -> Iterator[Relation]:
        allowed = f"less than steps ({self.steps})"
        yield Relation(self.change_after < self.steps, "change_after", self.change_after, allowed)


class ChangingWorldSection(Settings):
    change_step_size: StepSize
    adapted_within: Annotated[float, at_least(1), at_most(10)]  # times the shortest way
    checkpoint_steps: Count  # between two rows of the table
    blocking: Change
    shortcut: Change

    def relations(self) -> Iterator[Relation]:
        for name, change in (("blocking", self.blocking), ("shortcut", self.shortcut)):
            for key in ("steps", "change_after"):
                value, allowed = getattr(change, key), f"a multiple of checkpoint_steps ({self.checkpoint_steps})"
                yield Relation(value % self.checkpoint_steps == 0, f"{name}.{key}", value, allowed)


class LimitsSection(Settings):
    limit_world: Text
    exploring: Annotated[float, above(0), at_most(1)]  # epsilon: every action has to come again and again
    power: Power  # of decreasing steps
    checkpoints: Annotated[tuple[Count, ...], items(at_least=2)]  # steps
    limit_seeds: Seeds

    def relations(self) -> Iterator[Relation]:
        yield from is_a_world("limit_world", self.limit_world)
        rising = list(self.checkpoints) == sorted(self.checkpoints)
        yield Relation(rising, "checkpoints", self.checkpoints, "numbers from small to large")


class WhatIsNeededSection(Settings):
    trained_steps: Count
    preference_step: Annotated[float, above(0), at_most(100)]  # of the learner without values
    optimistic_value: Annotated[float, at_least(0), at_most(1000)]  # of every action before the first step


class ThreeWaysSection(Settings):
    transitions: Count  # of the recorded random walk, and of the agent that acts itself
    labels: Counts  # states with the right action, of the supervised learner
    clusters: AtLeastTwo  # of states, found from transitions alone
    passes: Count  # of Q-learning over the recorded transitions


class LearningCurves(Learning, LearningCurvesSection):
    pass


class ChangingWorld(Learning, ChangingWorldSection):
    pass


class Limits(Learning, LimitsSection):
    pass


class WhatIsNeeded(Learning, WhatIsNeededSection):
    pass


class ThreeWays(Learning, ThreeWaysSection):
    pass


class Params(Settings):
    """The whole section."""

    learning: Learning
    learning_curves: LearningCurvesSection
    changing_world: ChangingWorldSection
    limits: LimitsSection
    what_is_needed: WhatIsNeededSection
    three_ways: ThreeWaysSection


def is_a_world(key: str, name: str) -> Iterator[Relation]:
    """That agents can learn there; what is not so, in the words of the one who makes it."""
    from postproof.rl_intro import worlds  # here: gymnasium takes a quarter of a second

    try:
        worlds.make(name).close()
    except ParamsError as error:
        yield Relation(False, key, name, error.context["allowed"], error.message, error.remedy)
