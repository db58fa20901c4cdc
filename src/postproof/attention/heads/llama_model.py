"""Attention weights of a Llama from a GGUF file, such as SmolLM2. Shapes as in hooks.py."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from postproof.attention.heads.hooks import weights_handed_on
from postproof.attention.heads.sources import AttentionModel, Visit
from postproof.core.errors import DataError
from postproof.llama2 import gguf_weights, tokenizer


def from_gguf(path: Path, sha256: str | None = None, name: str = "smollm2_135m") -> AttentionModel:
    """A Llama from a GGUF file.

    Raises DataError when the file is missing, damaged, of another hash or architecture, or names no token to pad with.
    """
    reader = gguf_weights.read(path, sha256)
    model = gguf_weights.load(reader, path)  # first: a file of another architecture has another tokenizer too
    tokens = tokenizer.load(reader, path)
    # This model was trained without padding and has no token of its own for it: its file names the end of a turn.
    keys = ["tokenizer.ggml.padding_token_id", "tokenizer.ggml.eos_token_id"]
    found = [int(reader.fields[key].contents()) for key in keys if key in reader.fields]
    if not found:
        raise DataError("tokenizer has no token to pad with", file=path, keys=" or ".join(keys),
                        remedy="take a file that names one; causal rows of real tokens do not depend on it"
                        )  # fmt: skip

    def attend(ids_BT: Tensor, real_BT: Tensor | None, visit: Visit) -> None:
        with weights_handed_on(model, real_BT, visit):
            model(ids_BT, last_only=True)  # the logits are not needed, and are large

    return AttentionModel(
        name=name, layers=model.config.layers, heads=model.config.heads, context=model.config.context,
        vocabulary=model.config.vocabulary, pad_id=found[0], cuts=False, encode=lambda text: tokens.encode(text).ids,
        label=lambda index: tokens.decode([index], skip_special_tokens=False), attend=attend,
    )  # fmt: skip
