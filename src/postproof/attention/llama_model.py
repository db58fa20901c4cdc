"""Attention weights of a Llama from a GGUF file, such as SmolLM2. Shapes as in reading.py."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from postproof.attention.reading import causal_weights, mixed, reading
from postproof.attention.sources import AttentionModel, Visit
from postproof.errors import DataError
from postproof.llama2 import gguf_weights, tokenizer


def llama_attention(attention, real_BT: Tensor | None, visit: Visit, x_BTD: Tensor, turn, cache, queries) -> Tensor:
    """What llama2.llama.Attention computes; no cache is read or written."""
    B, T, _ = x_BTD.shape
    heads = attention.qkv(x_BTD).view(B, T, -1, attention.d_head).transpose(1, 2)
    H, G = attention.heads, (heads.shape[1] - attention.heads) // 2
    qk, v_BGTd = heads.split([H + G, G], dim=1)
    q_BHTd, k_BGTd = turn(qk).split([H, G], dim=1)
    weights_BHTT = causal_weights(q_BHTd, k_BGTd, real_BT)
    visit(weights_BHTT)
    return attention.out(mixed(weights_BHTT, v_BGTd)[:, -queries:])


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
        with reading(model, llama_attention, real_BT, visit):
            model(ids_BT, last_only=True)  # the logits are not needed, and are large

    return AttentionModel(
        name=name, layers=model.config.layers, heads=model.config.heads, context=model.config.context,
        vocabulary=model.config.vocabulary, pad_id=found[0], cuts=False, encode=lambda text: tokens.encode(text).ids,
        label=lambda index: tokens.decode([index], skip_special_tokens=False), attend=attend,
    )  # fmt: skip
