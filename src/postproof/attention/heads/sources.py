"""Attention weights of every layer and head for a batch of sentences, from three kinds of models with one interface.

Shapes: B sentences, T positions that they are padded to, H heads.

Kinds: `gguf` (a Llama in a GGUF file), `hub` (a folder or cached name that transformers reads, such as gpt2),
`race` and `race_untrained` (the character models of the race, after and before training).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from postproof.core.errors import DataError

# Called once per layer, in order, with the weights (B, H, T, T).
Visit = Callable[[Tensor], None]


@dataclasses.dataclass(frozen=True)
class AttentionModel:
    """A decoder whose attention weights can be read.

    `attend(ids_BT, real_BT, visit)` runs it; keys where `real_BT` is False are hidden, unless it is None. `cuts`:
    longer texts are cut to the positions at hand, as one does with characters; else they are an error.
    """

    name: str
    layers: int
    heads: int
    context: int
    vocabulary: int
    pad_id: int
    cuts: bool
    encode: Callable[[str], list[int]]
    label: Callable[[int], str]
    attend: Callable[[Tensor, Tensor | None, Visit], None]


@dataclasses.dataclass(frozen=True)
class Batch:
    """Token ids padded on the right to T positions, and how many of each row are real."""

    ids_BT: Tensor
    lengths_B: np.ndarray

    @property
    def real_BT(self) -> Tensor:
        return torch.arange(self.ids_BT.shape[1]) < torch.from_numpy(self.lengths_B)[:, None]


def batch(model: AttentionModel, sentences: Sequence[str], positions: int) -> Batch:
    """The sentences as one batch of `positions` tokens each.

    Raises DataError for a sentence that is empty, has one token, or is too long (unless the model `cuts`), and for more
    positions than the model's context.
    """
    if positions > model.context:
        raise DataError("sentences are padded to more positions than the model has", model=model.name,
                        positions=positions, allowed=f"{model.context}, its context",
                        remedy="lower `positions` in params.yaml, or take another model")  # fmt: skip
    rows = []
    for number, sentence in enumerate(sentences, start=1):
        if not sentence.strip():
            raise DataError("sentence is empty", sentence=f"number {number}", remedy="write one, or take its row out")
        ids = model.encode(sentence)
        if len(ids) > positions and model.cuts:
            ids = ids[:positions]
        if not 2 <= len(ids) <= positions:
            raise DataError("sentence has too few or too many tokens", model=model.name, sentence=f"number {number}",
                            text=sentence, tokens=len(ids), allowed=f"2 to {positions}",
                            remedy="change it, or raise `positions` in params.yaml up to the model's context"
                            )  # fmt: skip
        rows.append(ids)
    padded = [ids + [model.pad_id] * (positions - len(ids)) for ids in rows]
    return Batch(torch.tensor(padded), np.array([len(ids) for ids in rows]))


def check(weights_BHTT: Tensor, model: AttentionModel, layer: int) -> None:
    """Raises DataError unless these are the attention weights of a decoder: rows that sum to 1, nothing ahead."""
    if weights_BHTT.triu(diagonal=1).any():
        raise DataError("model sees tokens ahead, so it is no decoder", model=model.name, layer=layer,
                        remedy="take a causal model, such as gpt2 or a Llama")  # fmt: skip
    worst = (weights_BHTT.double().sum(-1) - 1).abs().max().item()
    if not worst < 1e-4:  # also catches NaN
        raise DataError("attention weights of a row do not sum to 1", model=model.name, layer=layer, off_by=worst,
                        remedy="use the weights in float32, without dropout")  # fmt: skip


def attend(model: AttentionModel, tokens: Batch, padding_hidden: bool, visit: Visit) -> None:
    """Runs the model and hands the checked weights of each layer on, in order.

    Raises DataError when they are not those of a decoder, or fewer layers or other heads come than the model has.
    """
    shapes = []

    def checked(weights_BHTT: Tensor) -> None:
        check(weights_BHTT, model, layer=len(shapes))
        shapes.append(tuple(weights_BHTT.shape))
        visit(weights_BHTT)

    with torch.no_grad():
        model.attend(tokens.ids_BT, tokens.real_BT if padding_hidden else None, checked)
    B, T = tokens.ids_BT.shape
    if shapes != [(B, model.heads, T, T)] * model.layers:
        raise DataError("model gave other attention weights than its sizes say", model=model.name,
                        layers_found=len(shapes), layers_expected=model.layers,
                        remedy="take a model all of whose layers have attention")  # fmt: skip
