"""Perplexity of a real Llama with one of its techniques at a time switched off or changed: what each one carries.

The weights were trained with all of them and are not trained again, so this says what these weights rely on, and not
how well a model would do that had learnt without. Rows that should change nothing stand beside those that do.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from postproof.core import files, settings, tables
from postproof.core.errors import DataError
from postproof.llama2 import gguf_weights, tokenizer
from postproof.llama2.llama import Llama, Norm, Techniques, with_kv_heads
from postproof.llama2.settings import Ablation


def add_arguments(parser) -> None:
    parser.add_argument("--model", type=Path, required=True, help="GGUF of a Llama")
    parser.add_argument("--sha256", required=True, help="of the GGUF: 64 hex digits")
    parser.add_argument("--texts", type=Path, required=True, help="JSON: text by name")
    parser.add_argument("--settings", required=True, help="params section llama2.ablation, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per text and variant")


def main(args) -> None:
    ablation = settings.parse(Ablation, args.settings)
    texts = files.read_json(args.texts)
    reader = gguf_weights.read(args.model, args.sha256)
    tokens = tokenizer.load(reader, args.model)
    ids_by_text = {name: torch.tensor([tokens.encode(text).ids]) for name, text in texts.items()}
    model = gguf_weights.load(reader, args.model)
    longest = max(ids.shape[1] for ids in ids_by_text.values())
    if ablation.first_position + longest > model.config.context:
        raise DataError(
            "a text is too long for the model", file=args.texts, tokens=longest,
            allowed=model.config.context - ablation.first_position,
            remedy="lower llama2.held_texts.characters or llama2.ablation.first_position in params.yaml",
        )  # fmt: skip
    tables.write(args.out, tabulate(model, ids_by_text, ablation), "llama2/ablation")


def variants(model: Llama, settings: Ablation):
    """Pairs (technique, variant) and a function that makes the model so. Weights are shared where they can be."""
    yield "none", "as_trained", lambda: model.use(Techniques())
    yield "rope", "off", lambda: model.use(Techniques(rope=False))
    yield "rope", "other_base", lambda: with_base(model, settings.other_base)
    yield "rope", "starts_late", lambda: model.use(Techniques(first_position=settings.first_position))
    yield "norm", "layer_norm", lambda: model.use(Techniques(norm="layer"))
    yield "norm", "fixed", lambda: model.use(Techniques(norm="fixed"))
    yield "norm", "off", lambda: model.use(Techniques(norm="none"))
    yield "kv_heads", "repeated", lambda: with_kv_heads(model.use(Techniques()), model.config.heads)
    yield "kv_heads", "mean", lambda: with_kv_heads(model.use(Techniques()), 1)


def with_base(model: Llama, base: float) -> Llama:
    """The same weights with another base of the rotation."""
    with torch.device("meta"):
        other = Llama(dataclasses.replace(model.config, rope_base=base))
    other.load_state_dict(model.state_dict(), assign=True)
    return other.use(Techniques())


@torch.no_grad()
def calibrate(model: Llama, ids_1T: Tensor) -> None:
    """Sets each norm's `fixed_rms` to the median over tokens of the rms that it divides by as trained.

    Not the mean, which a few long states would decide. The tokens are those of the first text.
    """

    def keep(norm: Norm, inputs: tuple[Tensor], _) -> None:
        norm.fixed_rms = inputs[0].square().mean(dim=-1).add(norm.eps).median().item() ** 0.5

    hooks = [norm.register_forward_hook(keep) for norm in model.modules() if isinstance(norm, Norm)]
    model.use(Techniques())(ids_1T)
    for hook in hooks:
        hook.remove()


@torch.no_grad()
def tabulate(model: Llama, ids_by_text: dict[str, Tensor], settings: Ablation) -> pd.DataFrame:
    """A row per variant and text; without loss, its error and perplexity where states grow past float32."""
    rows = []
    calibrate(model, next(iter(ids_by_text.values())))
    for technique, variant, make in variants(model, settings):
        changed = make()
        for text, ids_1T in ids_by_text.items():
            with np.errstate(over="ignore", invalid="ignore"):  # the outcome says so
                logits_TV = changed(ids_1T)[0, :-1]
            # The first token has nothing before it and is not scored.
            losses_T = F.cross_entropy(logits_TV.double(), ids_1T[0, 1:], reduction="none")
            row = {"text": text, "technique": technique, "variant": variant}
            row |= {"outcome": "finite" if losses_T.isfinite().all() else "overflow"}
            row |= {"rope_base": changed.config.rope_base if changed.techniques.rope else None}
            row |= {"first_position": changed.techniques.first_position, "kv_heads": changed.config.kv_heads}
            row |= {"tokens": len(losses_T)}
            if row["outcome"] == "finite":
                loss = losses_T.mean().item()
                row |= {"loss": loss, "standard_error": standard_error(losses_T), "perplexity": math.exp(loss)}
            rows.append(row)
    table = pd.DataFrame(rows)
    as_trained = table[table["variant"] == "as_trained"].set_index("text")["perplexity"]
    return table.assign(perplexity_ratio=table["perplexity"] / table["text"].map(as_trained))


def standard_error(losses_T: Tensor) -> float:
    """Of the mean over tokens taken as independent, which they are not quite: a scale, no interval."""
    return (losses_T.std(correction=1) / math.sqrt(len(losses_T))).item()
