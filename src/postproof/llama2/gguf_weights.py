"""A Llama with weights from a GGUF file, dequantised to float32 by the package `gguf`.

In a GGUF whose architecture is `llama` the rows of the q and k projections are ordered for rotation of consecutive
features (2k, 2k + 1), RoPE's own layout and ours: they are taken as they lie. transformers, whose layout is halves,
permutes them when it reads such a file. Other architectures (qwen2, gemma, ...) are stored for halves and are refused.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import torch
from torch import Tensor

from postproof.core import files
from postproof.core.errors import DataError
from postproof.llama2.llama import Llama, LlamaConfig

ARCHITECTURE = "llama"
# What the reader raises for bytes that are no GGUF, or not all of one.
UNREADABLE = (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError)
KEYS = {
    "d_model": "embedding_length",
    "layers": "block_count",
    "heads": "attention.head_count",
    "kv_heads": "attention.head_count_kv",
    "d_head": "rope.dimension_count",
    "d_ffn": "feed_forward_length",
    "context": "context_length",
    "rope_base": "rope.freq_base",
    "norm_eps": "attention.layer_norm_rms_epsilon",
}
# Ours by GGUF's; several of one are stacked. {} is the layer.
TENSORS = {
    "blocks.{}.attention_norm.gain": ["blk.{}.attn_norm"],
    "blocks.{}.attention.qkv.weight": ["blk.{}.attn_q", "blk.{}.attn_k", "blk.{}.attn_v"],
    "blocks.{}.attention.out.weight": ["blk.{}.attn_output"],
    "blocks.{}.ffn_norm.gain": ["blk.{}.ffn_norm"],
    "blocks.{}.ffn.gate.weight": ["blk.{}.ffn_gate"],
    "blocks.{}.ffn.up.weight": ["blk.{}.ffn_up"],
    "blocks.{}.ffn.down.weight": ["blk.{}.ffn_down"],
}


def read(path: Path, sha256: str | None = None) -> gguf.GGUFReader:
    """The open file.

    Raises DataError when it is missing, has another sha256 than the given one, or is damaged or cut off.
    """
    remedy = "delete it and run `snakemake --cores`"
    if not path.is_file():
        raise DataError("model file is missing", file=path, remedy=f"run `snakemake --cores 1 {path}`")
    if sha256 is not None and (found := files.sha256(path)) != sha256:
        raise DataError("model file has another sha256", file=path, sha256=found, expected=sha256, remedy=remedy)
    try:
        return gguf.GGUFReader(path)
    except UNREADABLE as error:
        raise DataError("not a GGUF file, or cut off", file=path, remedy=remedy) from error


def config(reader: gguf.GGUFReader, path: Path) -> LlamaConfig:
    """Sizes from the file's metadata.

    Raises DataError for another architecture, scaled positions, a key that is missing or sizes that do not go together.
    """

    def value(key: str):
        if key not in reader.fields:
            raise DataError("model file lacks a key", file=path, key=key, remedy="take a complete GGUF of a Llama")
        return reader.fields[key].contents()

    found = value("general.architecture")
    if found != ARCHITECTURE:
        raise DataError("model is of another architecture", file=path, key="general.architecture", value=found,
                        allowed=ARCHITECTURE, remedy="take a GGUF of a Llama")  # fmt: skip
    scaling = f"{ARCHITECTURE}.rope.scaling.type"
    if scaling in reader.fields and value(scaling) != "none":
        raise DataError("model scales its positions, which is not implemented", file=path, key=scaling,
                        value=value(scaling), allowed="none", remedy="take a model without")  # fmt: skip
    sizes = {ours: value(f"{ARCHITECTURE}.{theirs}") for ours, theirs in KEYS.items()}
    names = {tensor.name for tensor in reader.tensors}
    vocabulary = len(value("tokenizer.ggml.tokens"))
    c = LlamaConfig(vocabulary=vocabulary, tied_head="output.weight" not in names, **sizes)
    checks = {
        "attention.head_count_kv": c.kv_heads > 0 and c.heads % c.kv_heads == 0,
        "rope.dimension_count": c.d_head > 0 and c.d_head % 2 == 0 and c.d_head * c.heads == c.d_model,
    }
    for key, good in checks.items():
        if not good:
            raise DataError("sizes of the model do not go together", file=path, key=f"{ARCHITECTURE}.{key}",
                            value=value(f"{ARCHITECTURE}.{key}"), heads=c.heads, d_model=c.d_model,
                            allowed="kv heads that divide heads; an even head dimension, d_model / heads",
                            remedy="take another file")  # fmt: skip
    return c


def weights(reader: gguf.GGUFReader, c: LlamaConfig, path: Path) -> dict[str, Tensor]:
    """The model's state, float32.

    Raises DataError for a tensor that is missing, unknown, cut off or of an unknown type.
    """
    wanted = {"token_embedding.weight": ["token_embd"], "norm.gain": ["output_norm"]}
    wanted |= {} if c.tied_head else {"head.weight": ["output"]}
    for ours, theirs in TENSORS.items():
        wanted |= {ours.format(layer): [name.format(layer) for name in theirs] for layer in range(c.layers)}
    by_name = {tensor.name.removesuffix(".weight"): tensor for tensor in reader.tensors}
    expected = {name for names in wanted.values() for name in names}
    if by_name.keys() != expected:
        raise DataError("tensors are not those of a Llama", file=path,
                        missing=", ".join(sorted(expected - by_name.keys())[:3]) or "none",
                        unknown=", ".join(sorted(by_name.keys() - expected)[:3]) or "none",
                        remedy="take a complete GGUF of a Llama without biases")  # fmt: skip

    def dequantised(name: str) -> Tensor:
        tensor = by_name[name]
        try:
            return torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).copy()).float()
        except (*UNREADABLE, NotImplementedError) as error:
            raise DataError("cannot dequantise a tensor", file=path, tensor=name,
                            type=tensor.tensor_type.name) from error  # fmt: skip

    def in_columns(weight: Tensor) -> Tensor:
        """The same numbers, a matrix (out, in) lying column by column.

        A decode step is bound by reading the weights, and MKL reads a matrix that lies so 1.6 times as fast.
        """
        return weight.T.contiguous().T if weight.ndim == 2 else weight

    return {ours: in_columns(torch.cat([dequantised(name) for name in names])) for ours, names in wanted.items()}


def load(reader: gguf.GGUFReader, path: Path) -> Llama:
    """The model of an open GGUF file, float32, ready to predict. Raises DataError as the functions above do."""
    c = config(reader, path)
    with torch.device("meta"):
        model = Llama(c)
    try:
        model.load_state_dict(weights(reader, c, path), assign=True)
    except RuntimeError as error:
        raise DataError("a tensor has another shape than the sizes say", file=path) from error
    # Made anew: on the meta device the angles had no values.
    return model.use(model.techniques).requires_grad_(False).eval()
