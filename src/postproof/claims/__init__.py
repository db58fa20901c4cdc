"""The claim engine: every number of a post against the artefact that decides it.

The way through the package: `document` reads claims/*.yaml, `artefacts` the tables, params and published figures that
they name, `expression` computes what we get as a `quantity` with a unit, `rules` compares it with the posted number,
`judge` writes one record per claim, `show` prints the records and `pages` lays them out for a reader of the post.
"""

from enum import StrEnum


class Kind(StrEnum):
    """What a record is. Only claims are counted."""

    CLAIM = "claim"
    REPEAT = "repeat"  # says again what another claim says, and has its verdict
    SETTING = "setting"  # what our params take over from the post
    FINDING = "finding"  # what we saw beyond the post; it has no verdict


class Verdict(StrEnum):
    """What became of a claim, the worst first. All are outcomes; a claim that cannot be judged is a ClaimError."""

    DOES_NOT_HOLD = "does not hold"
    NOT_REPRODUCED = "not reproduced"  # the post's run made again gives another number, and something differs
    UNDECIDED = "undecided"  # what we have allows both
    NOT_CHECKED = "not checked"  # needs what is not here: a GPU, a source, a model
    HOLDS_IF = "holds if"  # under the reading or setting that the claim states
    AS_IN_SOURCE = "as in the source"  # the literature that it repeats has it; whether that is right nobody looked
    REPRODUCED = "reproduced"  # the post's run made again gives it
    HOLDS = "holds"


class Severity(StrEnum):
    """How much of what the post says falls with a claim that does not hold."""

    CONCLUSION = "conclusion"  # a sentence falls
    NUMBER = "number"  # a number is another one, by more than its last digits
    SLIP = "slip"  # digits or a unit


class Evidence(StrEnum):
    """What a verdict rests on. The words of claims/*.yaml are the names in small letters."""

    POSTED_FIGURES = "the post's own figures"
    PUBLIC = "public facts"
    MATHEMATICS = "mathematics"
    POSTED_RUN = "the posted run"
    RERUN = "rerun at posted size"
    EXPERIMENT = "experiment at posted size"
    REDUCED = "experiment at reduced size"
    MEASURED = "measured"
