"""The section `attention` of params.yaml: what may stand there, and how its values must fit together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from postproof.attention import full_length
from postproof.core.settings import (
    Count,
    Counts,
    Position,
    Relation,
    Seeds,
    Settings,
    Text,
    above,
    at_least,
    at_most,
    below,
    items,
    keys,
    multiple_of,
    pattern,
)
from postproof.published.settings import Models, PublicModels, each_has_a_file

DEFAULT_MODEL = "smollm2_135m"
OWN_MODELS = (DEFAULT_MODEL, "race_")  # what names of our own runs of heads begin with

AtLeastTwo = Annotated[int, at_least(2)]
Shape = Annotated[tuple[Count, ...], items(at_least=5, at_most=5, unique=False)]


class AttentionCheck(Settings):
    shapes: Annotated[tuple[Shape, ...], items()]  # batch, heads, queries, keys, d_head; the first is the posted one
    seeds: Seeds
    posted_seeds: Seeds  # of the posted shape, causal, in float32
    tokens: AtLeastTwo  # of a sequence that is permuted

    def relations(self) -> Iterator[Relation]:
        _, _, queries, keys_, _ = posted = self.shapes[0]
        allowed = "as many queries as keys in the first shape, which gets the causal mask"
        yield Relation(queries == keys_, "shapes", list(posted), allowed)


class SoftmaxScaling(Settings):
    seed: Position
    d_heads: Counts
    rows: Count  # queries behind each mean
    keys: AtLeastTwo  # of each query
    d_model: Count
    heads: Counts

    def relations(self) -> Iterator[Relation]:
        for count in self.heads:
            yield _divides(count, self.d_model)


class SinusoidalEncoding(Settings):
    d_model: Annotated[int, at_least(2), multiple_of(2)]
    base: Annotated[float, above(1), at_most(1e12)]
    positions: AtLeastTwo


class AttentionWeights(Settings):
    sentence: Annotated[str, pattern(r"\S")]  # words between blanks
    d_model: Annotated[int, at_least(2), multiple_of(2)]  # sinusoidal positions are added: pairs of dimensions
    heads: Count
    head: Position
    seed: Position

    def relations(self) -> Iterator[Relation]:
        yield _divides(self.heads, self.d_model)
        yield Relation(self.head < self.heads, "head", self.head, f"less than heads ({self.heads})")


class ScoreMemory(Settings):
    sequences: Counts
    fit_longest: Count

    def relations(self) -> Iterator[Relation]:
        rising = list(self.sequences) == sorted(self.sequences)
        yield Relation(rising, "sequences", list(self.sequences), "rising numbers", "not in order", "sort them")
        yield Relation(
            sum(sequence <= self.fit_longest for sequence in self.sequences) > 2,
            "fit_longest",
            self.fit_longest,
            "at least the third of sequences: a polynomial of second degree has three terms",
        )


class KvCacheLoads(Settings):
    models: Models  # as published, and with as many KV heads as heads
    contexts: Counts  # tokens in each user's cache
    users: Counts

    def relations(self) -> Iterator[Relation]:
        yield from each_has_a_file("models", self.models)


class HeadRuns(Settings):
    positions: AtLeastTwo  # that every sentence is padded to
    reach: Position  # of the diagonal score, in positions to either side
    example_sentence: Count  # whose matrices are kept whole; counted from 1


class HeadSettings(Settings):
    local_above: Annotated[float, above(0), below(1)]  # diagonal score
    copy_below: Annotated[float, above(0), at_most(100)]  # entropy, nats
    broad_above: Annotated[float, above(0), at_most(100)]  # entropy, nats
    layers_at_each_end: Count  # that count as early and as late, as posted; thirds stand beside
    bootstrap_draws: AtLeastTwo
    seed: Position  # of the bootstrap

    def relations(self) -> Iterator[Relation]:
        allowed = f"less than broad_above ({self.broad_above})"
        yield Relation(self.copy_below < self.broad_above, "copy_below", self.copy_below, allowed)


class Params(Settings):
    EXAMPLES: ClassVar = {"hub_models": {"gpt2": "gpt2"}}

    attention_check: AttentionCheck
    softmax_scaling: SoftmaxScaling
    sinusoidal_encoding: SinusoidalEncoding
    attention_weights: AttentionWeights
    score_memory: ScoreMemory
    kv_cache_loads: KvCacheLoads
    public_models: PublicModels
    head_runs: HeadRuns
    heads: HeadSettings
    other_padding: Annotated[dict[str, Position], keys("^[a-z]+$")]  # ids of tokens
    hub_models: Annotated[dict[str, Annotated[Text, pattern("^[^-]")]], keys("^[a-z0-9_]+$")]  # where their weights are
    drawn_model: Text

    def relations(self) -> Iterator[Relation]:
        # Sentences that fill the positions set the scale of the thresholds (heads/classes.py).
        heads, runs = self.heads, self.head_runs
        largest_entropy = full_length.entropy(runs.positions)
        yield Relation(
            heads.broad_above < largest_entropy,
            "heads.broad_above",
            heads.broad_above,
            f"below {largest_entropy:.3f}, the entropy of uniform attention over head_runs.positions "
            f"({runs.positions})",
        )
        uniform_diagonal = full_length.diagonal(runs.positions, runs.reach)
        yield Relation(
            heads.local_above > uniform_diagonal,
            "heads.local_above",
            heads.local_above,
            f"above {uniform_diagonal:.3f}, the diagonal score of uniform attention over head_runs.positions "
            f"({runs.positions}) with head_runs.reach {runs.reach}",
        )
        for name in self.hub_models:
            yield Relation(
                not name.startswith(OWN_MODELS),
                "hub_models",
                name,
                f"names that do not begin with {' or '.join(OWN_MODELS)}, as runs of our own do",
                remedy="give the model another name",
            )
        drawable = [DEFAULT_MODEL, *self.hub_models]
        yield Relation(self.drawn_model in drawable, "drawn_model", self.drawn_model, f"one of {', '.join(drawable)}")


def _divides(heads: int, d_model: int) -> Relation:
    return Relation(d_model % heads == 0, "heads", heads, f"a number that divides d_model ({d_model})")
