"""How what the post compares looks, the same in every chart; and how charts name models.

Bars have no marker and no line: a bar and a line of one colour are told apart by that.
Purple is what the post itself shows (palette.POSTED) and nothing else.
"""

from __future__ import annotations

from postproof.charts.palette import (
    BLACK,
    BLUE,
    DARK_GREY,
    GREEN,
    GREY,
    LIGHT_GREY,
    ORANGE,
    SKY,
    VERMILLION,
    YELLOW,
    Look,
    looks,
)

LOOKS = looks(
    # Which rows of attention a mean is over. Rows of real tokens are one thing, with or without others beside them.
    Look("as_posted", "as posted", "padded, mean over all rows (as posted)", VERMILLION, "^", "-"),
    Look("padding_seen", "padding seen", "the same, padding not masked", BLACK, "D", ":"),
    Look("real_tokens", "real tokens", "rows of real tokens only", BLUE, "o", "--"),
    Look("padding", "padding", "rows of padding", BLACK, "s", "-"),
    # Rows of padding where another token than the model's own pads, in the order of the table.
    Look("other_padding_0", "other padding", "rows of padding, padded otherwise", DARK_GREY, "v", "-."),
    Look("other_padding_1", "other padding", "rows of padding, padded otherwise", GREEN, "P", "--"),
    Look("other_padding_2", "other padding", "rows of padding, padded otherwise", GREY, "X", ":"),
    # Classes of heads.
    Look("local", "local", "local heads", SKY, "", ""),
    Look("copy", "copy", "copy heads", ORANGE, "", ""),
    Look("broad", "broad", "broad heads", GREEN, "", "", "////"),
    Look("mixed", "mixed", "mixed heads", LIGHT_GREY, "", ""),
    # Whether scores are divided.
    Look("none", "q·k", "without scaling", VERMILLION, "s", "-", "//"),
    Look("inverse_root", "q·k / √d_k", "divided by √d_k", BLUE, "o", "-"),
    # How a layer computes its attention.
    Look("plain_all_kept", "all kept", "plain, every intermediate kept", VERMILLION, "^", "--"),
    Look("plain", "plain", "plain, let go as soon as may be", BLUE, "s", "--"),
    Look("sdpa", "sdpa", "scaled_dot_product_attention", BLACK, "D", "--"),
    Look("formula", "formula", "one score matrix of each head, by formula", DARK_GREY, "x", ":"),
    # Parts of its bytes, from the dark and constant to the light and quadratic.
    Look("parameters", "parameters", "parameters", BLACK, "", ""),
    Look("activations", "activations", "input, q, k, v, output", GREEN, "", ""),
    Look("mask", "mask", "causal mask", GREY, "", ""),
    Look("scores", "scores", "scores", ORANGE, "", "", "//"),
    Look("weights", "weights", "weights", SKY, "", "", "xx"),
    Look("dropout_mask", "dropout's mask", "dropout's mask", YELLOW, "", "", ".."),
    # Sinusoidal positions.
    Look("fastest", "fastest", "fastest wave", BLUE, "D", "-"),
    Look("slowest", "slowest", "slowest wave", VERMILLION, "v", "-"),
)


def _of(*stems: str) -> dict[str, Look]:
    return {stem: LOOKS[stem] for stem in stems}


PROTOCOLS = _of("as_posted", "padding_seen", "real_tokens")
OTHER_PADDINGS = _of("other_padding_0", "other_padding_1", "other_padding_2")
CLASSES = _of("local", "copy", "broad", "mixed")
SCALINGS = _of("none", "inverse_root")
ATTENTIONS = _of("plain_all_kept", "plain", "sdpa")
PARTS = _of("parameters", "activations", "mask", "scores", "weights", "dropout_mask")

# A chart of heads shows one model, which its title names.
MODELS = {
    "smollm2_135m": "SmolLM2-135M",
    "gpt2": "GPT-2 small",
    "race_dense": "dense model of the race",
    "race_dense_untrained": "dense model of the race, untrained",
    "race_moe": "MoE model of the race",
    "race_moe_untrained": "MoE model of the race, untrained",
}
PADDED_OTHERWISE = "_pad_"  # in a model's name, before the token that pads in place of its own


def model_name(stem: str) -> str:
    model, otherwise, token = stem.partition(PADDED_OTHERWISE)
    return MODELS.get(model, model) + (f" padded with {token}" if otherwise else "")
