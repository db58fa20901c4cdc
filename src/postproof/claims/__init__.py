"""The claim engine: every number of a post against the artefact that decides it.

The way through the package: `document` reads claims/*.yaml, `artefacts` the tables and params that they name,
`expression` computes what we get as a `quantity` with a unit, `rules` compares it with the posted number,
`judge` writes one record per claim, `show` prints the records.
"""

from enum import StrEnum


class Verdict(StrEnum):
    """What became of a claim. All four are outcomes; a claim that cannot be judged is a ClaimError instead."""

    HOLDS = "holds"
    HOLDS_IF = "holds if"  # under the reading or setting that the claim states
    DOES_NOT_HOLD = "does not hold"
    NOT_CHECKED = "not checked"  # needs what is not here: a GPU, a source, a model
