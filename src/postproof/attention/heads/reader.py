"""Read the attention of every head of one model over the sentences, and keep statistics per sentence, layer and head.

The model runs twice: with padding hidden from all queries, as a tokenizer's mask does, and with padding seen.
Shapes: S sentences, L layers, H heads, n tokens of the example.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch

from postproof.attention.heads import row_statistics, sources
from postproof.attention.heads.sources import AttentionModel
from postproof.attention.settings import HeadRuns
from postproof.core import files, settings
from postproof.core.errors import DataError, ParamsError

PADDINGS = {"hidden": True, "seen": False}


def add_arguments(parser) -> None:
    parser.add_argument("--name", required=True, help="the model's name in the tables")
    parser.add_argument("--pad-id", type=int, help="token that pads, in place of the model's own")
    parser.add_argument("--sentences", type=Path, required=True, help="CSV: kind, sentence")
    parser.add_argument("--settings", required=True, help="params section attention.head_runs, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="safetensors")


def run(args, open_model: Callable[[], AttentionModel]) -> None:
    """Reads settings and sentences, then the model, and writes what was found.

    Raises ParamsError when there is no such example among the sentences.
    """
    section = settings.parse(HeadRuns, args.settings)
    table = files.read_csv(args.sentences, ["kind", "sentence"], words=["kind", "sentence"])
    if section.example_sentence > len(table):
        raise ParamsError(
            "there is no such sentence", file=args.sentences, key="attention.head_runs.example_sentence",
            value=section.example_sentence, allowed=f"1 to {len(table)}",
        )  # fmt: skip
    model = open_model()
    if args.pad_id is not None:
        model = padded_with(model, args.pad_id)
    tensors, about = read(model, table["kind"], table["sentence"].fillna(""), section)
    files.save_tensors(args.out, tensors, about)


def padded_with(model: AttentionModel, pad_id: int) -> AttentionModel:
    """The model with another token to pad with. Raises DataError when it has no such token."""
    if not 0 <= pad_id < model.vocabulary:
        raise DataError("model has no such token to pad with", model=model.name, pad_id=pad_id,
                        allowed=f"0 to {model.vocabulary - 1}")  # fmt: skip
    return dataclasses.replace(model, pad_id=pad_id)


def read(model: AttentionModel, kinds, sentences, section: HeadRuns) -> tuple[dict[str, torch.Tensor], dict]:
    """Statistics as float32 (the last bits of float64 are the processor's), and what they are of.

    Tensors, (S, L, H): real_{statistic}, padding_hidden_{statistic}, padding_seen_{statistic}, content_distance; and
    example_LHnn, the weights between the real tokens of the example.
    """
    tokens = sources.batch(model, sentences, section.positions)
    example, by_layer, examples = section.example_sentence - 1, {}, []
    n = tokens.lengths_B[example]
    for padding, hidden in PADDINGS.items():

        def visit(weights_BHTT: torch.Tensor, padding=padding, hidden=hidden) -> None:
            means = row_statistics.by_head(weights_BHTT, tokens.lengths_B, section.reach, hidden)
            if hidden:  # real rows are the same with padding seen: it comes after them
                means["content_distance"] = row_statistics.content_distance(weights_BHTT, tokens.lengths_B)
                examples.append(weights_BHTT[example, :, :n, :n].clone())
            for name, mean_BH in means.items():
                if name.startswith("padding"):
                    by_layer.setdefault(name.replace("padding", f"padding_{padding}"), []).append(mean_BH)
                elif hidden:
                    by_layer.setdefault(name, []).append(mean_BH)

        sources.attend(model, tokens, hidden, visit)
    tensors = {name: torch.stack(layers, dim=1).float() for name, layers in by_layer.items()}
    for name, values in tensors.items():
        if not values.isfinite().all():
            raise DataError("a statistic is not a number", model=model.name, statistic=name)
    about = {
        "model": model.name,
        "positions": section.positions,
        "reach": section.reach,
        "lengths": tokens.lengths_B.tolist(),
        "kinds": list(kinds),
        "pad_id": model.pad_id,
        "pad_token": model.label(model.pad_id),
        "example_sentence": section.example_sentence,
        "example_tokens": [model.label(index) for index in tokens.ids_BT[example, :n].tolist()],
    }
    return tensors | {"example_LHnn": torch.stack(examples)}, about
