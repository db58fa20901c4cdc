"""Which layers a reader might call general, for a decision what to freeze or adapt, and how far the evidence carries.

Shapes: S sentences, L layers, D bootstrap draws.

There is no one meaning of it, so four readings stand beside each other, each taking as many layers as the post calls
early. `posted_entropy` is the post's own: diffuse layers are the general ones. Where the choices differ, or another
draw of sentences would have chosen otherwise, attention does not decide the question. None is a loss after freezing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from postproof.attention.heads import gradient
from postproof.attention.heads.results import Bootstrap, HeadResults
from postproof.attention.settings import HeadSettings

# Protocol, measure, and whether the layers with the most or the least of it are chosen.
READINGS = {
    "posted_entropy": ("as_posted", "entropy", "most"),
    "entropy_share": ("real_tokens", "entropy_share", "most"),
    "content_distance": ("real_tokens", "content_distance", "least"),
    "first_token_share": ("real_tokens", "first_token_share", "least"),
}


def rows(run: HeadResults, section: HeadSettings, draws: Bootstrap) -> Iterator[dict]:
    """A row per reading. No rows for a model with fewer layers than both ends together have."""
    count = section.layers_at_each_end
    posted: set[int] = set()
    for reading, (protocol, measure, end) in READINGS.items():
        values_SL = gradient.measures(run, protocol)[measure] * (1 if end == "least" else -1)
        layers = values_SL.shape[1]
        if layers < 2 * count:
            return
        chosen = first(values_SL.mean(axis=0)[None], count)[0]
        chosen_D = first(draws.means(values_SL), count)
        posted = posted or set(chosen)
        yield {
            "model": run.model, "reading": reading, "protocol": protocol, "end": end, "layers": layers,
            "general_layers": " ".join(map(str, chosen)), "chosen": count,
            "of_the_first": int((chosen < count).sum()), "of_the_last": int((chosen >= layers - count).sum()),
            "shared_with_posted": len(posted & set(chosen)),
            "same_in_draws_share": (chosen_D == chosen).all(axis=1).mean(),
        }  # fmt: skip


def first(values_DL: np.ndarray, count: int) -> np.ndarray:
    """The layers with the `count` smallest values of each draw, in ascending order of the layer, (D, count)."""
    return np.sort(values_DL.argsort(axis=1, kind="stable")[:, :count], axis=1)
