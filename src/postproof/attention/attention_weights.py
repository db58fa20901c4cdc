"""Tabulate one head's attention over a sentence, with untrained weights: with a causal mask and without.

Each distinct word has one standard normal vector; positions are added as in the paper (section 3.4 scales embeddings by
sqrt(d_model) where their deviation is 1 / sqrt(d_model), which is the same). Projections are as torch initialises them,
uniform within 1 / sqrt(d_model), which leaves a third of a variance of 1 + 1/2 (words, positions): scores deviate by
about 1/2, so untrained attention is nearly even. Nothing here says what a trained head does.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pandas as pd
import torch

from postproof import files, sections
from postproof.attention.attention import MultiHeadAttention, causal_mask
from postproof.errors import ParamsError
from postproof.llama2.sinusoidal import encoding


@dataclasses.dataclass(frozen=True)
class AttentionWeights:
    sentence: str  # words between blanks
    d_model: int
    heads: int
    head: int
    seed: int

    def __post_init__(self):
        if not isinstance(self.sentence, str) or not self.sentence.split():
            raise ParamsError("value is not allowed", key="sentence", value=self.sentence, allowed="at least one word")
        for key, least in {"d_model": 2, "heads": 1, "head": 0, "seed": 0}.items():
            value = getattr(self, key)
            if type(value) is not int or value < least:
                allowed = f"a whole number from {least} on"
                raise ParamsError("value is not allowed", key=key, value=value, allowed=allowed)
        if self.head >= self.heads:
            raise ParamsError("value is not allowed", key="head", value=self.head, allowed=f"below heads, {self.heads}")


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section attention.attention_weights, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per mask, query and key")


@torch.no_grad()
def main(args) -> None:
    files.write_csv(args.out, weights(sections.parse(AttentionWeights, args.settings)))


def weights(settings: AttentionWeights) -> pd.DataFrame:
    """Columns: mask (none, causal), head, query, query_word, key, key_word, weight."""
    words, D = settings.sentence.split(), settings.d_model
    generator = torch.Generator().manual_seed(settings.seed)
    layer = MultiHeadAttention(D, settings.heads)
    for part in (layer.query, layer.key, layer.value, layer.out):
        part.weight.uniform_(-1 / math.sqrt(D), 1 / math.sqrt(D), generator=generator)
    distinct = list(dict.fromkeys(words))
    vectors_VD = torch.randn(len(distinct), D, generator=generator)
    x_BTD = vectors_VD[[distinct.index(word) for word in words]][None]
    x_BTD = x_BTD + torch.from_numpy(encoding(len(words), D)).float()
    rows = []
    for mask, allowed in {"none": None, "causal": causal_mask(len(words))}.items():
        weights_TT = layer(x_BTD, allowed)[1][0, settings.head]
        rows += [
            {"mask": mask, "head": settings.head, "query": i, "query_word": query, "key": j, "key_word": key,
             "weight": weights_TT[i, j].item()}
            for i, query in enumerate(words) for j, key in enumerate(words)
        ]  # fmt: skip
    return pd.DataFrame(rows)
