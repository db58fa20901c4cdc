"""Attention weights of a decoder that transformers reads from a local folder, or from what it has in its cache.

The library's own products are used, so in exact mode too the bytes follow the processor. Nothing is fetched, and
nothing that lies beside the weights is executed: safetensors only, no code of the model's own.
"""

from __future__ import annotations

import importlib.util
import os

import torch
from torch import Tensor

from postproof.attention.heads.sources import AttentionModel, Visit
from postproof.core.errors import DataError

SENTENCES_A_PASS = 20  # the library keeps the weights of all layers until the pass is over


def load(place: str, name: str, implementation: str = "eager") -> AttentionModel:
    """The model and tokenizer in the folder `place`, or those that are cached under this name.

    gpt2's tokenizer has no token to pad with; as posted, the end of a text pads.

    `implementation` is that of attention: fused ones (sdpa, flash) never form the weights.

    Raises DataError when transformers is missing, there are no weights here, the model is of an unknown architecture,
    gives no attention weights, or has neither a token to pad with nor an end of text.
    """
    if importlib.util.find_spec("transformers") is None:
        raise DataError("the package `transformers` is not installed", model=name,
                        remedy="`make` installs it; or take the default model, which does not need it")  # fmt: skip
    tokens, model = _read(os.path.expanduser(place), implementation)
    pad_id = tokens.pad_token_id if tokens.pad_token_id is not None else tokens.eos_token_id
    if pad_id is None:
        raise DataError("tokenizer has no token to pad with, and no end of text", model=place,
                        remedy="set pad_token in the folder's tokenizer_config.json to a token of its vocabulary"
                        )  # fmt: skip

    def attend(ids_BT: Tensor, real_BT: Tensor | None, visit: Visit) -> None:
        real_BT = torch.ones_like(ids_BT, dtype=torch.bool) if real_BT is None else real_BT
        passes = []
        for ids, real in zip(ids_BT.split(SENTENCES_A_PASS), real_BT.split(SENTENCES_A_PASS)):
            output = model(input_ids=ids, attention_mask=real.long(), output_attentions=True, use_cache=False)
            weights = getattr(output, "attentions", None)
            if not weights or any(layer is None for layer in weights):
                raise DataError("model gives no attention weights", model=place, attention=implementation,
                                architecture=model.config.model_type,
                                remedy="load it with attn_implementation eager; fused kernels never form the weights, "
                                "and models without attention have none")  # fmt: skip
            passes.append(weights)
        for layer in zip(*passes):
            visit(torch.cat(layer).float())

    return AttentionModel(
        name=name, layers=model.config.num_hidden_layers, heads=model.config.num_attention_heads,
        context=model.config.max_position_embeddings, vocabulary=model.config.vocab_size, pad_id=pad_id, cuts=False,
        encode=lambda text: tokens(text, add_special_tokens=False)["input_ids"],
        label=lambda index: tokens.decode([index]), attend=attend,
    )  # fmt: skip


def _read(place: str, implementation: str):
    """Tokenizer and model without its head, float32, ready to predict."""
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    remedy = (
        "name a folder that holds config.json, model.safetensors and the tokenizer's files; nothing is fetched here, "
        "so a name works only once the model is in the library's cache"
    )
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        AutoConfig.from_pretrained(place, **local)
    except OSError as error:
        raise DataError("no such model here", model=place, remedy=remedy) from error
    except (ValueError, KeyError) as error:
        raise DataError("model is of an architecture that the library does not know", model=place,
                        remedy="take gpt2, or another causal decoder") from error  # fmt: skip
    try:
        tokens = AutoTokenizer.from_pretrained(place, **local)
        model = AutoModel.from_pretrained(
            place, attn_implementation=implementation, dtype=torch.float32, use_safetensors=True, **local
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise DataError("cannot read the model or its tokenizer", model=place, remedy=remedy) from error
    missing = [key for key in ("num_hidden_layers", "num_attention_heads", "max_position_embeddings", "vocab_size")
               if not isinstance(getattr(model.config, key, None), int)]  # fmt: skip
    if missing:
        raise DataError("model is of another architecture: it has no attention of the usual kind", model=place,
                        architecture=model.config.model_type, lacks=", ".join(missing),
                        remedy="take gpt2, or another causal decoder")  # fmt: skip
    return tokens, model.requires_grad_(False).eval()
