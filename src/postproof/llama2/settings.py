"""The section `llama2` of params.yaml.

Each rope table has a section of its own, and all share that of the head: a job is handed both, as one class.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

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
    items,
    multiple_of,
    pattern,
)
from postproof.published.settings import Models, PublicModels, each_has_a_file

AtLeastTwo = Annotated[int, at_least(2)]
Base = Annotated[float, above(1), at_most(1e12)]
Load = Annotated[tuple[Count, ...], items(at_least=2, at_most=2, unique=False)]


class Head(Settings):
    """An attention head, and the bases of its rates of rotation."""

    d_head: Annotated[int, at_least(2), multiple_of(2)]
    base: Base
    larger_base: Base

    @property
    def bases(self) -> tuple[float, float]:
        return self.base, self.larger_base

    def relations(self) -> Iterator[Relation]:
        allowed = f"more than base ({self.base:g})"
        yield Relation(self.larger_base > self.base, "larger_base", self.larger_base, allowed)


class RopeCheckSection(Settings):
    seeds: Seeds
    triples: Count  # (m, n, shift)
    positions_below: Count  # m and n
    shifts_below: Count
    far_shift: Position


class RopeCheckAsRunSection(Settings):
    positions: AtLeastTwo  # of one q and one k each, from 0 on
    vectors_seed: Position
    triples_seed: Position


class RopeAnglesSection(Settings):
    positions: AtLeastTwo


class RopeDecaySection(Settings):
    draws: AtLeastTwo  # of q and k, per seed
    distances: AtLeastTwo  # 0 .. distances - 1
    seeds: Seeds


class RopeThetaSection(Settings):
    position: Position  # at which angles are given
    contexts: Counts


class RopeDiagramSection(Settings):
    seed: Position  # of one standard normal q and one k
    pairs: Annotated[tuple[Position, ...], items(at_most=3)]  # whose rotation is drawn
    positions: AtLeastTwo  # at which, from 0 on
    query_position: Position  # of the identity, in the first of the pairs
    key_position: Position
    shift: Position
    tokens: AtLeastTwo  # scores of every query with itself and every key before it

    def relations(self) -> Iterator[Relation]:
        allowed = f"at most query_position ({self.query_position})"
        yield Relation(self.key_position <= self.query_position, "key_position", self.key_position, allowed)


class RopeCheck(Head, RopeCheckSection):
    pass


class RopeCheckAsRun(RopeCheck, RopeCheckAsRunSection):
    pass


class RopeAngles(Head, RopeAnglesSection):
    pass


class RopeDecay(Head, RopeDecaySection):
    pass


class RopeTheta(Head, RopeThetaSection):
    pass


class RopeDiagram(Head, RopeDiagramSection):
    pass


class NormCheck(Settings):
    width: AtLeastTwo  # features of a token
    tokens: AtLeastTwo
    seeds: Seeds
    eps: Annotated[float, above(0), at_most(1)]


class KvModels(Settings):
    """Of which published models caches are counted."""

    varied: Text  # as released, with one KV head and with as many as heads
    compared: Models  # beside it in kv_cache_memory and kv_max_batch
    decoding: Models  # in decode_bytes
    served: Models  # in serving_budget

    @property
    def others(self) -> dict[str, tuple[str, ...]]:
        """The models beside the varied one, by key."""
        return {"compared": self.compared, "decoding": self.decoding, "served": self.served}

    def relations(self) -> Iterator[Relation]:
        yield from each_has_a_file("varied", [self.varied])
        for key, names in self.others.items():
            yield from each_has_a_file(key, names)
            yield Relation(self.varied not in names, key, self.varied, "other models than the varied one")


class KvCacheMemory(Settings):
    sequence_step: Count
    longest_sequence: Count

    def relations(self) -> Iterator[Relation]:
        allowed = f"at most longest_sequence ({self.longest_sequence})"
        yield Relation(self.sequence_step <= self.longest_sequence, "sequence_step", self.sequence_step, allowed)


class KvMaxBatch(Settings):
    budget: Annotated[float, above(0), at_most(1e6)]  # GB or GiB
    sequences: Counts
    posted_sequence: Count  # of the post's numbers

    def relations(self) -> Iterator[Relation]:
        allowed = f"one of sequences ({', '.join(map(str, self.sequences))})"
        yield Relation(self.posted_sequence in self.sequences, "posted_sequence", self.posted_sequence, allowed)


class DecodeBytes(Settings):
    batches: Counts
    contexts: Counts


class ServingBudget(Settings):
    devices: Counts
    contexts: Counts
    loads: Annotated[tuple[Load, ...], items()]  # users and context of each


class Model(Settings):
    """The pretrained model whose techniques are changed."""

    sha256: Annotated[str, pattern("^[0-9a-f]{64}$")]


class HeldTexts(Settings):
    characters: Count
    page: Text  # path

    def relations(self) -> Iterator[Relation]:
        allowed = "path of a text file"
        yield Relation(Path(self.page).is_file(), "page", self.page, allowed, "no such file", "change it")


class Ablation(Settings):
    other_base: Base  # of the rotation, in place of the one that the weights were trained with
    first_position: Count  # of a sequence that starts late; a distance stays a distance


class Params(Settings):
    """The whole section."""

    head: Head
    rope_check: RopeCheckSection
    rope_check_as_run: RopeCheckAsRunSection
    rope_angles: RopeAnglesSection
    rope_decay: RopeDecaySection
    rope_theta: RopeThetaSection
    rope_diagram: RopeDiagramSection
    norm_check: NormCheck
    public_models: PublicModels
    kv_models: KvModels
    accelerator: Text  # a file of data/configurations
    kv_cache_memory: KvCacheMemory
    kv_max_batch: KvMaxBatch
    decode_bytes: DecodeBytes
    serving_budget: ServingBudget
    model: Model
    held_texts: HeldTexts
    ablation: Ablation

    def relations(self) -> Iterator[Relation]:
        from postproof.llama2 import looks  # here: no table depends on colours

        yield from each_has_a_file("accelerator", [self.accelerator])
        pairs = self.head.d_head // 2
        for pair in self.rope_diagram.pairs:
            allowed = f"less than half of head.d_head ({self.head.d_head})"
            yield Relation(pair < pairs, "rope_diagram.pairs", pair, allowed)
        for key, names in {"varied": (self.kv_models.varied,), **self.kv_models.others}.items():
            for name in names:
                allowed = f"a model that the charts can draw: {', '.join(looks.MODELS)}"
                remedy = "take another, or give it a look in postproof/llama2/looks.py"
                yield Relation(name in looks.MODELS, f"kv_models.{key}", name, allowed, "no look for it", remedy)
