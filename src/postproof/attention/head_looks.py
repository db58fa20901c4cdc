"""How models, protocols and classes of heads look in every chart: Okabe and Ito's colours, hatches for grey."""

from __future__ import annotations

MODELS = {
    "smollm2_135m": "SmolLM2-135M",
    "gpt2": "GPT-2 small",
    "race_dense": "dense model of the race",
    "race_dense_untrained": "dense model of the race, untrained",
    "race_moe": "MoE model of the race",
    "race_moe_untrained": "MoE model of the race, untrained",
}
PROTOCOLS = {
    "as_posted": {"color": "#D55E00", "linestyle": "-", "marker": "^"},
    "padding_seen": {"color": "#000000", "linestyle": ":", "marker": "D"},
    "real_tokens": {"color": "#0072B2", "linestyle": "--", "marker": "o"},
}
CLASSES = {
    "local": {"facecolor": "#0072B2"},
    "copy": {"facecolor": "#E69F00"},
    "broad": {"facecolor": "#009E73", "hatch": "////"},
    "mixed": {"facecolor": "#D0D0D0"},
}


PADDED_OTHERWISE = "_pad_"  # in a model's name, before the token that pads in place of its own


def model_name(stem: str) -> str:
    model, otherwise, token = stem.partition(PADDED_OTHERWISE)
    return MODELS.get(model, model) + (f" padded with {token}" if otherwise else "")
