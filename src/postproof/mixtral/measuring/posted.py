"""The race as posted, for measurements of it: sizes and settings from params.yaml, its text, and its training loop."""

from __future__ import annotations

import dataclasses

import torch

from postproof.core import settings
from postproof.data import prepare_corpus
from postproof.data.prepare_corpus import Corpus
from postproof.measuring import checkout
from postproof.mixtral.draws import stream
from postproof.mixtral.measuring import moe_variants
from postproof.mixtral.model import Decoder
from postproof.mixtral.settings import ModelSizes, RaceSettings
from postproof.mixtral.training import Run

CORPUS = "data/prepared/mixtral_corpus.safetensors"
VOCABULARY = 64  # about that of the corpus; embeddings and head are a small part of a step


class VariantRun(Run):
    """A run of the race whose `arm` is a variant of moe_variants.py."""

    @property
    def ffn(self) -> str:
        return moe_variants.arm(self.arm)

    def _initial_model(self) -> Decoder:
        weights_seed = stream(self.seed, "weights").initial_seed()
        return moe_variants.build(self.arm, self.sizes, len(self.corpus.vocabulary), seed=weights_seed)


def race(tiny: bool) -> tuple[ModelSizes, RaceSettings, int]:
    """Sizes, settings and seed of the post's race."""
    sizes = settings.build(ModelSizes, checkout.params("mixtral.model"))
    training = checkout.params("mixtral.optimiser") | checkout.params("mixtral.race.training")
    race_settings = settings.build(RaceSettings, training)
    if tiny:
        sizes = dataclasses.replace(sizes, d_model=16, heads=2, layers=1, dense_ffn=64, expert_ffn=8)
        race_settings = dataclasses.replace(
            race_settings, batch=2, budget_flops=2e7, checkpoint_flops=1e7, val_batches=2
        )
    return sizes, race_settings, checkout.params("mixtral.race.posted_seed")


def corpus() -> Corpus:
    """The prepared text, or random tokens in the same amount: they cost the same, but for how they are routed."""
    prepared = checkout.root() / CORPUS
    if prepared.exists():
        return prepare_corpus.load(prepared)
    generator = torch.Generator().manual_seed(0)
    train, val = (torch.randint(VOCABULARY, (n,), generator=generator) for n in (198_000, 22_000))
    return Corpus(train, val, [chr(33 + i) for i in range(VOCABULARY)])
