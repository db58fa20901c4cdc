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
from postproof.attention.heads.results import HeadResults
from postproof.attention.settings import HeadSettings

CLASSES = ("local", "copy", "broad", "mixed")


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


def posted(section: HeadSettings) -> Thresholds:
    return Thresholds(section.local_above, section.copy_below, section.broad_above)


def reachable(section: HeadSettings, results: HeadResults, protocol: str) -> Thresholds:
    """For diagonal scores and shares of the largest entropy, means over the sentences, under the protocol.

    The posted thresholds lie within the scale of full-length sentences (attention/settings.py).
    """
    T = results.positions
    uniform_diagonal, largest_entropy = full_length.diagonal(T, results.reach), full_length.entropy(T)
    local = (section.local_above - uniform_diagonal) / (1 - uniform_diagonal)
    here = {name: value_S.mean() for name, value_S in results.uniform(protocol).items()}
    return Thresholds(
        local_above=here["diagonal"] + local * (here["diagonal_limit"] - here["diagonal"]),
        copy_below=section.copy_below / largest_entropy,
        broad_above=section.broad_above / largest_entropy,
    )
