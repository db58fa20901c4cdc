"""Read the attention of every head of one model over the sentences, and keep statistics per sentence, layer and head.

The model runs twice: with padding hidden from all queries, as a tokenizer's mask does, and with padding seen.
Shapes: S sentences, L layers, H heads, n tokens of the example.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch

from postproof import files, sections
from postproof.attention import head_statistics, sources
from postproof.attention.sources import AttentionModel
from postproof.errors import DataError, ParamsError

PADDINGS = {"hidden": True, "seen": False}


@dataclasses.dataclass(frozen=True)
class HeadRuns:
    """The section attention.head_runs of params.yaml."""

    positions: int  # that every sentence is padded to
    reach: int  # of the diagonal score, in positions to either side
    example_sentence: int  # whose matrices are kept whole; counted from 1

    def __post_init__(self):
        for key, least in {"positions": 2, "reach": 0, "example_sentence": 1}.items():
            if type(getattr(self, key)) is not int or getattr(self, key) < least:
                raise ParamsError("value is not allowed", key=f"attention.head_runs.{key}", value=getattr(self, key),
                                  allowed=f"a whole number, at least {least}")  # fmt: skip


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
    settings = sections.parse(HeadRuns, args.settings)
    table = files.read_csv(args.sentences, ["kind", "sentence"])
    if settings.example_sentence > len(table):
        raise ParamsError("there is no such sentence", key="attention.head_runs.example_sentence",
                          value=settings.example_sentence, allowed=f"1 to {len(table)}")  # fmt: skip
    model = open_model()
    if args.pad_id is not None:
        model = padded_with(model, args.pad_id)
    tensors, about = read(model, table["kind"], table["sentence"].fillna(""), settings)
    files.save_tensors(args.out, tensors, about)


def padded_with(model: AttentionModel, pad_id: int) -> AttentionModel:
    """The model with another token to pad with. Raises DataError when it has no such token."""
    if not 0 <= pad_id < model.vocabulary:
        raise DataError("model has no such token to pad with", model=model.name, pad_id=pad_id,
                        allowed=f"0 to {model.vocabulary - 1}")  # fmt: skip
    return dataclasses.replace(model, pad_id=pad_id)


def read(model: AttentionModel, kinds, sentences, settings: HeadRuns) -> tuple[dict[str, torch.Tensor], dict]:
    """Statistics as float32 (the last bits of float64 are the processor's), and what they are of.

    Tensors, (S, L, H): real_{statistic}, padding_hidden_{statistic}, padding_seen_{statistic}, content_distance; and
    example_LHnn, the weights between the real tokens of the example.
    """
    tokens = sources.batch(model, sentences, settings.positions)
    example, by_layer, examples = settings.example_sentence - 1, {}, []
    n = tokens.lengths_B[example]
    for padding, hidden in PADDINGS.items():

        def visit(weights_BHTT: torch.Tensor, padding=padding, hidden=hidden) -> None:
            means = head_statistics.by_head(weights_BHTT, tokens.lengths_B, settings.reach, hidden)
            if hidden:  # real rows are the same with padding seen: it comes after them
                means["content_distance"] = head_statistics.content_distance(weights_BHTT, tokens.lengths_B)
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
        "positions": settings.positions,
        "reach": settings.reach,
        "lengths": tokens.lengths_B.tolist(),
        "kinds": list(kinds),
        "pad_id": model.pad_id,
        "pad_token": model.label(model.pad_id),
        "example_sentence": settings.example_sentence,
        "example_tokens": [model.label(index) for index in tokens.ids_BT[example, :n].tolist()],
    }
    return tensors | {"example_LHnn": torch.stack(examples)}, about
