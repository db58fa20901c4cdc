"""The random numbers of a run: its initial weights and its batches. Two sources, `Draws` of our own and those as run.

Our own runs draw from three independent streams, each made from the seed alone, so that both arms of one seed see the
same batches in the same order. The posted runs drew as their scripts did: `RaceAsRun` and `BalanceAsRun` say how.
Tokens are int64 of shape (characters,); windows are inputs and next-token targets, both (batch, sequence).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from postproof.core.errors import EngineError
from postproof.mixtral.model import Decoder
from postproof.mixtral.moe import MoE, SwiGLU
from postproof.mixtral.settings import ModelSizes

# Of the first numbers that check_generator draws with torch 2.13.0 under the kernels of exact mode.
DRAWN_SHA256 = "fbdbf18777c7cbe304809d9daf4cf18a4ecbe31c76c84d1d46c51e52b831b17b"

STREAMS = ("weights", "train_batches", "val_batches")


def stream(seed: int, name: str) -> torch.Generator:
    """An independent generator for one use of the seed."""
    entropy = np.random.SeedSequence((seed, STREAMS.index(name))).generate_state(1, np.uint32)
    return torch.Generator().manual_seed(int(entropy[0]))


def windows_at(tokens: Tensor, starts: Tensor, sequence: int) -> tuple[Tensor, Tensor]:
    """Inputs and next-token targets, both (len(starts), sequence)."""
    windows = tokens.unfold(0, sequence + 1, 1)[starts]
    return windows[:, :-1], windows[:, 1:]


def random_windows(
    tokens: Tensor, sequence: int, batch: int, generator: torch.Generator, left_out: int = 0
) -> tuple[Tensor, Tensor]:
    """Windows that start anywhere but at the last `left_out` places at which one fits."""
    starts = torch.randint(len(tokens) - sequence - left_out, (batch,), generator=generator)
    return windows_at(tokens, starts, sequence)


def tiling_windows(tokens: Tensor, sequence: int, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The windows that start at 0, T, 2T, ...; a rest shorter than one window is left out."""
    starts = torch.arange(0, len(tokens) - sequence, sequence)
    for chunk in starts.split(batch):
        yield windows_at(tokens, chunk, sequence)


def initial_decoder(ffn: str, sizes: ModelSizes, vocabulary_size: int, seed: int) -> Decoder:
    """The model that a run of ours with this seed starts from; `ffn`: dense or moe."""
    torch.manual_seed(stream(seed, "weights").initial_seed())
    return Decoder(ffn, sizes, vocabulary_size)


class Draws:
    """Three streams from one seed. `train_batches` and `val_batches` are the state that a resumed run needs."""

    left_out = 0
    validated_as_posted = False  # whether batches drawn anew are validated on, beside the whole split

    def __init__(self, seed: int):
        self.seed = seed
        self.train_batches = stream(seed, "train_batches")
        self.val_batches = stream(seed, "val_batches")

    def decoder(self, arm: str, ffn: str, sizes: ModelSizes, vocabulary_size: int) -> Decoder:
        """What the arm starts from; `ffn`: dense or moe."""
        return initial_decoder(ffn, sizes, vocabulary_size, self.seed)

    def train_windows(self, step: int, tokens: Tensor, sequence: int, batch: int) -> tuple[Tensor, Tensor]:
        """The batch of the step, counted from 1."""
        return random_windows(tokens, sequence, batch, self.train_batches, self.left_out)

    def val_windows(
        self, step: int, tokens: Tensor, sequence: int, batch: int, batches: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches for the validation after the step."""
        for _ in range(batches):
            yield random_windows(tokens, sequence, batch, self.val_batches, self.left_out)


class AsRun(Draws):
    """What the posted scripts have in common.

    torch's global generator is seeded once, and the arms' models are built one after the other, so each starts where
    the one before stopped; training draws nothing from it. A window that ends with the text's last character is never
    drawn.
    """

    left_out = 1
    validated_as_posted = True
    models: ClassVar[dict[str, str]]  # each arm's feed-forward block, in the order in which the models are built

    def decoder(self, arm: str, ffn: str, sizes: ModelSizes, vocabulary_size: int) -> Decoder:
        """Raises EngineError where torch draws other numbers than it did for the posted runs."""
        check_generator()
        torch.manual_seed(self.seed)
        for built, block in self.models.items():
            model = decoder_of_library_layers(block, sizes, vocabulary_size)
            if built == arm:
                return model
        raise ValueError(f"no arm {arm}; there are {', '.join(self.models)}")


class RaceAsRun(AsRun):
    """The posted race: two generators of its own, drawn on from checkpoint to checkpoint."""

    models = {"dense": "dense", "moe": "moe"}

    def __init__(self, seed: int):
        self.seed = seed
        self.train_batches = torch.Generator().manual_seed(seed + 777)
        self.val_batches = torch.Generator().manual_seed(seed + 777 + 10_000)


class BalanceAsRun(AsRun):
    """The posted runs with and without the auxiliary loss: the batches of a step have a generator of their own."""

    models = {"no_aux": "moe", "with_aux": "moe"}

    def __init__(self, seed: int):
        self.seed = seed
        self.train_batches, self.val_batches = torch.Generator(), torch.Generator()

    def train_windows(self, step: int, tokens: Tensor, sequence: int, batch: int) -> tuple[Tensor, Tensor]:
        self.train_batches.manual_seed(self.seed + 1234 + step)
        return super().train_windows(step, tokens, sequence, batch)

    def val_windows(
        self, step: int, tokens: Tensor, sequence: int, batch: int, batches: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        self.val_batches.manual_seed(self.seed + 1234 + 100_000 + step)
        return super().val_windows(step, tokens, sequence, batch, batches)


def check_generator() -> None:
    """Normal, uniform and whole numbers as torch drew them for the recorded runs; EngineError if not."""
    generator = torch.Generator().manual_seed(7)
    normal = torch.randn(1000, generator=generator)
    uniform = torch.empty(1000).uniform_(-1, 1, generator=generator)
    whole = torch.randint(1000, (1000,), generator=generator).float()
    found = hashlib.sha256(torch.cat([normal, uniform, whole]).numpy().tobytes()).hexdigest()
    if found != DRAWN_SHA256:
        raise EngineError("this torch draws other random numbers than the posted runs had", torch=torch.__version__,
                          sha256_of_first_numbers=found, allowed=DRAWN_SHA256,
                          remedy="take the torch of requirements.lock, in exact mode")  # fmt: skip


@torch.no_grad()
def decoder_of_library_layers(ffn: str, sizes: ModelSizes, vocabulary_size: int) -> Decoder:
    """Our decoder with the weights that torch's own layers, made one by one, draw from its global generator.

    In the order of the posted scripts: token and position embedding; per block query, key, value and output, then the
    feed-forward block, gate, up, down, for the mixture the router first and then expert by expert; the head.
    """
    D = sizes.d_model
    with torch.random.fork_rng(devices=[]):  # what our own layers draw is overwritten
        model = Decoder(ffn, sizes, vocabulary_size)
    model.token_embedding.weight.copy_(nn.Embedding(vocabulary_size, D).weight)
    model.position_embedding.weight.copy_(nn.Embedding(sizes.sequence, D).weight)
    for block in model.blocks:
        fill(block.attention.qkv, *(nn.Linear(D, D) for _ in range(3)))
        fill(block.attention.out, nn.Linear(D, D))
        fill_ffn(block.ffn, sizes)
    fill(model.head, nn.Linear(D, vocabulary_size, bias=False))
    return model


def fill(ours: nn.Linear, *drawn: nn.Linear) -> None:
    """One layer of ours from the layers whose outputs it has side by side."""
    ours.weight.copy_(torch.cat([layer.weight for layer in drawn]))
    if ours.bias is not None:
        ours.bias.copy_(torch.cat([layer.bias for layer in drawn]))


def fill_ffn(ffn: SwiGLU | MoE, sizes: ModelSizes) -> None:
    D = sizes.d_model
    if isinstance(ffn, SwiGLU):
        fill(ffn.gate_up, nn.Linear(D, sizes.dense_ffn), nn.Linear(D, sizes.dense_ffn))
        fill(ffn.down, nn.Linear(sizes.dense_ffn, D))
        return
    fill(ffn.router, nn.Linear(D, sizes.experts))
    stacked = ffn.experts
    for expert in range(sizes.experts):
        gate, up = nn.Linear(D, sizes.expert_ffn), nn.Linear(D, sizes.expert_ffn)
        down = nn.Linear(sizes.expert_ffn, D)
        stacked.gate_up_EDH[expert] = torch.cat([gate.weight, up.weight]).T
        stacked.gate_up_bias_EH[expert] = torch.cat([gate.bias, up.bias])
        stacked.down_EFD[expert] = down.weight.T
        stacked.down_bias_ED[expert] = down.bias
