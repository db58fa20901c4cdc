"""The section `bandits` of params.yaml: what may stand there.

Jobs share sections: `testbed` is the problems of all but the contextual ones, `agents` what most are played by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from postproof.core.settings import (
    Count,
    LearningRate,
    Position,
    Relation,
    Settings,
    Share,
    above,
    at_least,
    at_most,
    items,
    keys,
)

Arms = Annotated[int, at_least(2), at_most(127)]
Problems = Annotated[int, at_least(2), at_most(100_000)]
Steps = Annotated[int, at_least(10), at_most(1_000_000)]
Variance = Annotated[float, at_least(0), at_most(1e6)]
Value = Annotated[float, at_least(-1e6), at_most(1e6)]
Positive = Annotated[float, above(0), at_most(1e6)]
StepSize = Annotated[float, above(0), at_most(1)]  # of estimates: above 1 they overshoot the reward
Epsilons = Annotated[tuple[Share, ...], items()]
Values = Annotated[tuple[Value, ...], items(at_least=2, at_most=127, unique=False)]


class Testbed(Settings):
    seed: Position
    arms: Arms
    problems: Problems
    steps: Steps
    reward_variance: Variance
    windows_per_decade: Annotated[int, at_least(2), at_most(1000)]  # of a curve: for ten times as many steps


class Agents(Settings):
    small_epsilon: Share
    large_epsilon: Share
    step_size: StepSize
    optimistic_start: Value
    c: Positive
    gradient_step_sizes: Annotated[tuple[LearningRate, ...], items(at_least=2, at_most=2)]
    gradient_mean: Value  # of the values of the problems that gradient agents play
    early_steps: Count  # within which the tries of each arm are counted

    def relations(self) -> Iterator[Relation]:
        allowed = f"more than small_epsilon ({self.small_epsilon:g})"
        yield Relation(self.small_epsilon < self.large_epsilon, "large_epsilon", self.large_epsilon, allowed)
        slow, fast = self.gradient_step_sizes
        allowed = "the smaller step size first"
        yield Relation(slow < fast, "gradient_step_sizes", self.gradient_step_sizes, allowed)


class Example(Settings):
    values: Values
    draws: Annotated[int, at_least(100), at_most(10_000_000)]  # rewards of each arm


class LongRun(Settings):
    long_steps: Steps


class Nonstationary(Settings):
    drifting_problems: Problems
    drifting_steps: Steps
    walk_sd: Positive
    switch_steps: Steps
    rise: Positive


class Noise(Settings):
    variances: Annotated[tuple[Variance, ...], items(at_least=2)]
    epsilons: Epsilons
    noise_problems: Problems
    noise_steps: Steps

    def relations(self) -> Iterator[Relation]:
        for epsilon in self.epsilons:
            allowed = "above 0: greedy plays anyway"
            yield Relation(epsilon > 0, "epsilons", epsilon, allowed, "a share that never explores", "change it")


class Contextual(Settings):
    values: Annotated[tuple[Values, ...], items(at_least=2, at_most=100, unique=False)]  # of each situation
    contextual_variance: Variance
    contextual_epsilon: Share
    contextual_start: Value
    contextual_windows: Annotated[int, at_least(2), at_most(1000)]

    def relations(self) -> Iterator[Relation]:
        for of_situation in self.values:
            allowed = f"as many arms as the first ({len(self.values[0])})"
            yield Relation(len(of_situation) == len(self.values[0]), "values", of_situation, allowed)


class Kind(Settings):
    arms: Arms
    problems: Problems
    steps: Steps
    reward_variance: Variance
    walk_sd: Annotated[float, at_least(0), at_most(1e6)]
    value_sd: Annotated[float, at_least(0), at_most(1e6)]


class ParameterStudy(Settings):
    kinds: Annotated[Mapping[str, Kind], keys("^[a-z][a-z0-9_]*$"), {"minProperties": 1}]
    epsilons: Epsilons
    cs: Annotated[tuple[Positive, ...], items()]
    optimistic_starts: Annotated[tuple[Value, ...], items()]
    gradient_step_sizes: Annotated[tuple[LearningRate, ...], items()]
    step_size: StepSize  # of constant-step estimates

    def relations(self) -> Iterator[Relation]:
        allowed = "`testbed` among them: the chart draws it"
        yield Relation("testbed" in self.kinds, "kinds", ", ".join(self.kinds), allowed, "no such kind", "add it")


class Identities(Settings):
    seed: Position
    rewards: Annotated[int, at_least(2), at_most(100_000)]
    arms: Arms
    decades: Annotated[int, at_least(2), at_most(7)]  # terms of the sums of step sizes: ten to this power


class Params(Settings):
    """The whole section."""

    testbed: Testbed
    agents: Agents
    example: Example
    long_run: LongRun
    nonstationary: Nonstationary
    noise: Noise
    contextual: Contextual
    parameter_study: ParameterStudy
    identities: Identities

    def relations(self) -> Iterator[Relation]:
        early, steps = self.agents.early_steps, self.testbed.steps
        yield Relation(early <= steps, "agents.early_steps", early, f"at most testbed.steps ({steps})")
        long_steps = self.long_run.long_steps
        allowed = f"at least testbed.steps ({steps})"
        yield Relation(long_steps >= steps, "long_run.long_steps", long_steps, allowed)


class OnTestbed(Testbed, Agents):
    pass


class ExampleOnTestbed(Testbed, Example):
    pass


class LongRunOnTestbed(Testbed, Agents, LongRun):
    pass


class NonstationaryOnTestbed(Testbed, Agents, Nonstationary):
    pass


class NoiseOnTestbed(Testbed, Noise):
    pass


class ContextualOnTestbed(Testbed, Contextual):
    pass
