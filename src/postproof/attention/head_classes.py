"""Classes of heads: by the posted thresholds, and by the same thresholds moved to where a head can reach them.

The posted thresholds are numbers for rows that see up to 64 real tokens. There, uniform attention has an entropy of
ln(64!)/64 = 3.206 nats, the largest there is, and a diagonal score of 0.183. Shorter sentences lower the one and raise
the other, and hidden padding bounds the diagonal score too, whatever the head does. So each threshold is kept where it
lies between the ends of its scale, and the scale is that of the rows at hand:

    entropy    as a share of the largest that a row allows: copy below 1.5 / 3.206 = 0.468,
               broad above 3.0 / 3.206 = 0.936
    diagonal   between that of uniform attention and the largest: local above
               (0.35 - 0.183) / (1 - 0.183) = 0.204 of the way
"""

from __future__ import annotations

import dataclasses

import numpy as np

from postproof.attention import full_length
from postproof.attention.head_results import HeadResults
from postproof.errors import ParamsError

CLASSES = ("local", "copy", "broad", "mixed")


@dataclasses.dataclass(frozen=True)
class HeadSettings:
    """The section attention.heads of params.yaml."""

    local_above: float  # diagonal score
    copy_below: float  # entropy, nats
    broad_above: float  # entropy, nats
    layers_at_each_end: int  # that count as early and as late, as posted; thirds stand beside
    bootstrap_draws: int
    seed: int  # of the bootstrap

    def __post_init__(self):
        for key in ("layers_at_each_end", "bootstrap_draws", "seed"):
            value = getattr(self, key)
            if type(value) is not int or value < (0 if key == "seed" else 1):
                raise ParamsError("value is not allowed", key=f"attention.heads.{key}", value=value,
                                  allowed="a whole number" + ("" if key == "seed" else ", at least 1"))  # fmt: skip
        if not 0 < self.local_above < 1:
            raise ParamsError("value is not allowed", key="attention.heads.local_above", value=self.local_above,
                              allowed="between 0 and 1")  # fmt: skip
        if not 0 < self.copy_below < self.broad_above:
            raise ParamsError("value is not allowed", key="attention.heads.copy_below", value=self.copy_below,
                              allowed=f"above 0, and below broad_above, {self.broad_above}")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """`entropy` is compared in nats, or as a share of the largest."""

    local_above: float
    copy_below: float
    broad_above: float

    def classes(self, diagonal: np.ndarray, entropy: np.ndarray) -> np.ndarray:
        """Names, in the posted order: the first that holds."""
        conditions = [diagonal > self.local_above, entropy < self.copy_below, entropy > self.broad_above]
        return np.select(conditions, CLASSES[:3], CLASSES[3])


def posted(settings: HeadSettings) -> Thresholds:
    return Thresholds(settings.local_above, settings.copy_below, settings.broad_above)


def reachable(settings: HeadSettings, results: HeadResults, protocol: str) -> Thresholds:
    """For diagonal scores and shares of the largest entropy, means over the sentences, under the protocol.

    Raises ParamsError when a posted threshold lies outside the scale of full-length sentences: nothing to move then.
    """
    T = results.positions
    uniform_diagonal, largest_entropy = full_length.diagonal(T, results.reach), full_length.entropy(T)
    if not (uniform_diagonal < settings.local_above and settings.broad_above < largest_entropy):
        raise ParamsError("thresholds cannot be reached by sentences of full length either", key="attention.heads",
                          local_above=settings.local_above, broad_above=settings.broad_above,
                          allowed=f"local_above over {uniform_diagonal:.3f}, broad_above below {largest_entropy:.3f}"
                          )  # fmt: skip
    local = (settings.local_above - uniform_diagonal) / (1 - uniform_diagonal)
    here = {name: value_S.mean() for name, value_S in results.uniform(protocol).items()}
    return Thresholds(
        local_above=here["diagonal"] + local * (here["diagonal_limit"] - here["diagonal"]),
        copy_below=settings.copy_below / largest_entropy,
        broad_above=settings.broad_above / largest_entropy,
    )
