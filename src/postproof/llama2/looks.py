"""How each thing that the charts of this post compare is named and drawn: one look each, wherever it stands.

Grouped-query attention is vermillion, as a number of KV heads, as the model that has it, and as torch's kernel for it;
the 70B with 64, 8 and 1 KV heads has the colours of mha, gqa and mqa, which are far apart in lightness.
"""

from __future__ import annotations

from postproof.charts.palette import (
    BLACK,
    BLUE,
    DARK_GREY,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    VERMILLION,
    Look,
    looks,
)

LOOKS = looks(
    # Numbers of KV heads.
    Look("mha", "MHA", "multi-head: as many KV heads as heads", BLACK, "v"),
    Look("gqa", "GQA", "grouped: an eighth of the heads", VERMILLION, "s"),
    Look("mqa", "MQA", "multi-query: one KV head", ORANGE, "^"),
    # Models.
    Look("llama2_70b_mha", "70B as MHA", "Llama 2 70B if it had 64 KV heads", BLACK, "<"),
    Look("llama1_65b", "LLaMA 65B", "LLaMA 65B (MHA, 64 KV heads)", GREEN, "P"),
    Look("llama2_7b", "7B", "Llama 2 7B (MHA, 32 KV heads)", BLUE, "h"),
    Look("llama2_70b", "70B", "Llama 2 70B (GQA, 8 KV heads)", VERMILLION, "p"),
    Look("gpt2_xl", "GPT-2 XL", "GPT-2 XL (MHA, 25 KV heads)", GREY, "D"),
    Look("llama2_70b_mqa", "70B as MQA", "Llama 2 70B if it had 1 KV head", ORANGE, ">"),
    # What a "GB" is; the line of any model.
    Look("GB", "GB", "GB (10⁹ bytes)", DARK_GREY, "o", "--"),
    Look("GiB", "GiB", "GiB (2³⁰ bytes)", DARK_GREY, "o", "-"),
    Look("load", "load", "counted, at a load of the post", BLACK, "*", ""),
    Look("same_weights", "same weights", "below, thin: as if MHA had the same weights", DARK_GREY, ""),
    # Ways to attend in a timed decode step, and the bytes that it reads.
    Look("folded", "folded", "time, each K and V read once for its query heads", SKY, "o"),
    Look("fused", "fused", "time, scaled_dot_product_attention(enable_gqa=True)", VERMILLION, "X"),
    Look("expanded", "expanded", "time, K and V repeated to all heads at each step", GREEN, "^"),
    Look("read_bytes", "bytes", "bytes that a step reads: weights and cache", BLACK, "", "--"),
    Look("cache_bytes", "cache", "bytes of the cache alone", GREY, "", ":"),
    # Implementations of a Llama.
    Look("ours", "ours", "our Llama", VERMILLION, ""),
    Look("transformers", "transformers", "transformers", SKY, ""),
    # Norms, and how their code is run.
    Look("rms_module", "RMSNorm", "RMSNorm", GREEN, ""),
    Look("layer_module", "LayerNorm", "LayerNorm", GREY, ""),
    Look("eager", "eager", "eager: torch.nn's RMSNorm and LayerNorm", ORANGE, "v"),
    Look("compiled", "compiled", "the same compiled (torch.compile)", BLUE, "s"),
    Look("plain", "plain", "RMSNorm in five lines and torch.nn's LayerNorm, compiled", BLACK, "D"),
    # Texts on which a model is scored.
    Look("shakespeare", "Shakespeare", "start of a Shakespeare play", BLUE, "D"),
    Look("plain_english", "our page", "a page of our own, unseen", ORANGE, "s"),
    # Scores over distance.
    Look("rope_independent", "RoPE", "RoPE, q and k independent", BLUE, "o", "-"),
    Look("rope_same", "RoPE, q = k", "RoPE, k = q", BLACK, "o", "--"),
    Look("sinusoidal_renormalised", "sinusoidal", "sinusoidal, added, renormalised", ORANGE, "o", "-"),
    Look("sinusoidal_added", "added only", "sinusoidal, added only", VERMILLION, "^", ":"),
    # Bases of the rates of rotation, and the vectors that are turned.
    Look("base", "base", "base", SKY, "s"),
    Look("larger_base", "larger base", "larger base", GREEN, "D"),
    Look("q", "q", "query", BLUE, ""),
    Look("k", "k", "key", ORANGE, ""),
)


def among(*stems: str) -> dict[str, Look]:
    """The looks of things that stand in one chart, in its order."""
    return {stem: LOOKS[stem] for stem in stems}


ATTENTIONS = among("mha", "gqa", "mqa")
MODELS = among("llama2_70b_mha", "llama1_65b", "llama2_7b", "llama2_70b", "gpt2_xl", "llama2_70b_mqa")
READINGS = among("GB", "GiB")
CURVES = among("rope_independent", "rope_same", "sinusoidal_renormalised", "sinusoidal_added")
TEXTS = among("shakespeare", "plain_english")
