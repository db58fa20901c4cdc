"""Text to token ids by the byte-level BPE that a GGUF file carries, and back (Radford et al. 2019, "GPT-2").

`smollm` is GPT-2's splitting of words after each digit has been set apart.
"""

from __future__ import annotations

from pathlib import Path

import gguf
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from postproof.core.errors import DataError


def load(reader: gguf.GGUFReader, path: Path) -> Tokenizer:
    """The tokenizer; `encode(text).ids` and `decode(ids)`. Names of control tokens in a text are text.

    Raises DataError when the file has none, or one of another kind.
    """
    for key, allowed in {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm"}.items():
        found = reader.fields[key].contents() if key in reader.fields else "none"
        if found != allowed:
            raise DataError("tokenizer is of another kind", file=path, key=key, value=found, allowed=allowed,
                            remedy="take another file")  # fmt: skip
    tokens, merges = (reader.fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "merges"))
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(BPE(vocabulary, [tuple(merge.split(" ")) for merge in merges]))
    digits, words = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, words])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
