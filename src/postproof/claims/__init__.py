"""The claim engine: every number of a post against the artefact that decides it.

The way through the package: `document` reads claims/*.yaml, `artefacts` the tables, params and published figures that
they name, `expression` computes what we get as a `quantity` with a unit, `rules` compares it with the posted number,
`judge` writes one record per claim, `show` prints the records and `pages` lays them out for a reader of the post.
"""

from enum import StrEnum


class Word(StrEnum):
    """A word of a record, with what it means for a reader: `Verdict.HOLDS.means`."""

    means: str

    def __new__(cls, word: str, means: str) -> "Word":
        self = str.__new__(cls, word)
        self._value_, self.means = word, means
        return self


class Kind(Word):
    """What a record is. Only claims are counted."""

    CLAIM = "claim", "a number or sentence of the post, with a verdict of its own"
    REPEAT = "repeat", "says again what another claim says, and has its verdict"
    SETTING = "setting", "what our params take over from the post"
    FINDING = "finding", "what we saw beyond the post; it has no verdict"


class Verdict(Word):
    """What became of a claim, the worst first. All are outcomes; a claim that cannot be judged is a ClaimError."""

    DOES_NOT_HOLD = "does not hold", "what decides it says otherwise, under every reading of it"
    NOT_REPRODUCED = "not reproduced", "the post's run made again gives another number, and something differs"
    UNDECIDED = "undecided", "what we have allows both"
    NOT_CHECKED = "not checked", "needs what is not here: a GPU, a source, a model"
    HOLDS_IF = "holds if", "under the reading or setting that is stated"
    AS_IN_SOURCE = "as in the source", "the literature that it repeats has it; whether that is right nobody looked"
    REPRODUCED = "reproduced", "the post's run made again gives it"
    HOLDS = "holds", "what decides it says the same, under every reading of it"


class Severity(Word):
    """How much of what the post says falls with a claim that does not hold."""

    CONCLUSION = "conclusion", "a sentence falls"
    NUMBER = "number", "a number is another one, by more than its last digits"
    SLIP = "slip", "digits or a unit"


class Evidence(Word):
    """What a verdict rests on. The words of claims/*.yaml are the names in small letters."""

    POSTED_FIGURES = "the post's own figures", "arithmetic on numbers that the post itself gives"
    PUBLIC = "public facts", "configurations of released models, data sheets, figures of the literature"
    MATHEMATICS = "mathematics", "derived or computed exactly, without a random draw"
    POSTED_RUN = "the posted run", "the author's own published table of the run spoken of"
    RERUN = "rerun at posted size", "the post's own run made again: its input, seed and order of drawing"
    EXPERIMENT = "experiment at posted size", "runs of ours of the size that the post has"
    REDUCED = "experiment at reduced size", "runs of ours that are smaller than the post's"
    MEASURED = "measured", "seconds or bytes of a named machine"
