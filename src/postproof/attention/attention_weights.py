"""Tabulate one head's attention over a sentence, with untrained weights: with a causal mask and without.

Each distinct word has one standard normal vector; positions are added as in the paper (section 3.4 scales embeddings by
sqrt(d_model) where their deviation is 1 / sqrt(d_model), which is the same). Projections are as torch initialises them,
uniform within 1 / sqrt(d_model), which leaves a third of a variance of 1 + 1/2 (words, positions): scores deviate by
about 1/2, so untrained attention is nearly even. Nothing here says what a trained head does.
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import torch

from postproof.attention.attention import MultiHeadAttention, causal_mask
from postproof.attention.settings import AttentionWeights
from postproof.core import settings, tables
from postproof.llama2.sinusoidal import encoding


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section attention.attention_weights, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per mask, query and key")


@torch.no_grad()
def main(args) -> None:
    section = settings.parse(AttentionWeights, args.settings)
    tables.write(args.out, weights(section), "attention/attention_weights")


def weights(section: AttentionWeights) -> pd.DataFrame:
    """A row per mask, query and key."""
    words, D = section.sentence.split(), section.d_model
    generator = torch.Generator().manual_seed(section.seed)
    layer = MultiHeadAttention(D, section.heads)
    for part in (layer.query, layer.key, layer.value, layer.out):
        part.weight.uniform_(-1 / math.sqrt(D), 1 / math.sqrt(D), generator=generator)
    distinct = list(dict.fromkeys(words))
    vectors_VD = torch.randn(len(distinct), D, generator=generator)
    x_BTD = vectors_VD[[distinct.index(word) for word in words]][None]
    x_BTD = x_BTD + torch.from_numpy(encoding(len(words), D)).float()
    rows = []
    for mask, allowed in {"none": None, "causal": causal_mask(len(words))}.items():
        weights_TT = layer(x_BTD, allowed)[1][0, section.head]
        rows += [
            {"mask": mask, "head": section.head, "query": i, "query_word": query, "key": j, "key_word": key,
             "weight": weights_TT[i, j].item()}
            for i, query in enumerate(words) for j, key in enumerate(words)
        ]  # fmt: skip
    return pd.DataFrame(rows)
