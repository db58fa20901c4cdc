"""The looks of the post's variants: ways to tell of a failure and to handle it, versions of Python, right and wrong."""

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
    # Ways to tell of a failure.
    Look("exception", "raised and caught", "an exception, raised and caught", VERMILLION, "o"),
    Look("result_checked", "Result, looked into by all", "a Result, looked into by each function", BLUE, "s"),
    Look("result_passed", "Result, handed on", "a Result, looked into by the caller alone", SKY, "^", "--"),
    Look("plain", "plain value", "a plain value, or None", GREY, "v", ":"),
    # Ways to handle it.
    Look(
        "local_none",
        "local, None",
        "each failure ends where it occurs: a line in the log, None upward",
        ORANGE,
        "o",
        "",
    ),
    Look("local_rethrow", "local, raised anew", "each layer catches, logs and raises its own", VERMILLION, "s", ""),
    Look("central", "central", "one place answers for all errors", BLUE, "D", ""),
    Look("mixed", "mixed", "retries and context where they are known, one place that answers", GREEN, "^", ""),
    # Versions of Python, the oldest first.
    Look("version_1", "oldest", "the oldest version", ORANGE, "v", "-"),
    Look("version_2", "second", "the second version", GREY, "o", "-"),
    Look("version_3", "third", "the third version", DARK_GREY, "s", "-"),
    Look("version_4", "fourth", "the fourth version", GREEN, "D", "-"),
    Look("version_5", "fifth", "the fifth version", BLACK, "^", "-"),
    # Answers.
    Look("right", "right", "the status that HTTP, or the post, has for the case", GREEN, "", ""),
    Look("wrong", "wrong", "another status", VERMILLION, "", ""),
)


def among(*stems: str) -> dict[str, Look]:
    """The looks of things that stand in one chart, in its order."""
    return {stem: LOOKS[stem] for stem in stems}


WAYS = among("exception", "result_checked", "result_passed", "plain")
HANDLINGS = among("local_none", "local_rethrow", "central", "mixed")
VERSIONS = among("version_1", "version_2", "version_3", "version_4", "version_5")
ANSWERS = among("right", "wrong")
