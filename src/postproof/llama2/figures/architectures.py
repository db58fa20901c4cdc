"""How the charts of the KV cache show each model and each number of KV heads, and axes that they share.

The 70B with 64, 8 and 1 KV heads has the colours of mha, gqa and mqa, which are far apart in lightness.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from postproof.variants import Variant

ATTENTIONS = {
    variant.stem: variant
    for variant in [
        Variant("mha", "MHA", "multi-head: as many KV heads as heads", "#000000", "v"),
        Variant("gqa", "GQA", "grouped: an eighth of the heads", "#D55E00", "s"),
        Variant("mqa", "MQA", "multi-query: one KV head", "#E69F00", "^"),
    ]
}
MODELS = {
    variant.stem: variant
    for variant in [
        Variant("llama2_70b_mha", "70B as MHA", "Llama 2 70B if it had 64 KV heads", "#000000", "v"),
        Variant("llama1_65b", "LLaMA 65B", "LLaMA 65B (MHA, 64 KV heads)", "#CC79A7", "P"),
        Variant("llama2_7b", "7B", "Llama 2 7B (MHA, 32 KV heads)", "#0072B2", "o"),
        Variant("llama2_70b", "70B", "Llama 2 70B (GQA, 8 KV heads)", "#D55E00", "s"),
        Variant("gpt2_xl", "GPT-2 XL", "GPT-2 XL (MHA, 25 KV heads)", "#999999", "D"),
        Variant("llama2_70b_mqa", "70B as MQA", "Llama 2 70B if it had 1 KV head", "#E69F00", "^"),
    ]
}


def label_tokens(axes: Axes, sequences, *, room: float = 1.0) -> None:
    """Doublings equally far apart, named as they are used: 512, 4K. `room` to the right, for text, in times."""
    doublings = 2 ** np.arange(np.ceil(np.log2(min(sequences))), np.floor(np.log2(max(sequences))) + 1)
    axes.set_xscale("log", base=2)
    axes.set_xticks(doublings, [f"{n / 1024:g}K" if n >= 1024 else f"{n:g}" for n in doublings])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(min(sequences) / 1.15, max(sequences) * 1.15 * room)


def count_axis(axes: Axes, most: float) -> None:
    """Counts on a logarithmic axis that has a place for 0."""
    axes.set_yscale("symlog", linthresh=1, linscale=0.35)
    powers = 10 ** np.arange(np.floor(np.log10(most)) + 1)
    axes.set_yticks([0, *powers], ["0", *(f"{power:,.0f}" for power in powers)])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(-0.15, most * 2)


def plain_log(axis) -> None:
    """Powers of ten as plain numbers."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
