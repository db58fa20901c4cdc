"""The looks of the post's variants: colours of designs of reward, discount rates and ways to act, one each."""

from __future__ import annotations

from postproof.charts.palette import BLACK, BLUE, DARK_GREY, GREEN, GREY, ORANGE, SKY, VERMILLION, Look, looks

LOOKS = looks(
    # Designs of the reward.
    Look("sparse", "sparse", "mate alone is rewarded", BLUE, "o"),
    Look("misleading", "a capture counts as much as mate", "a capture is worth as much as mate", VERMILLION, "s"),
    Look("weighted", "mate counts a hundred captures", "mate is worth a hundred captures", GREEN, "D"),
    Look("progress", "every step rewarded", "each step toward the goal is rewarded, too", ORANGE, "^"),
    # What being mated costs.
    Look("nothing", "no cost", "being mated costs nothing", BLACK, "h"),
    Look("as_much", "a mate", "being mated costs a mate", GREY, "p", "--"),
    # Ways to act on v*.
    Look("next_value", "highest v* next", "by the value of the next state alone", ORANGE, "X", ""),
    Look("look_ahead", "r + gamma v*", "by reward and discounted value of the next state", BLACK, "o", ""),
    # What stands in a diagram or a grid.
    Look("best", "best", "an action that no other beats", GREEN, ""),
    Look("book", "the book", "as printed in the book", DARK_GREY, "", ""),
    Look("value", "value", "sign and size of a value", SKY, ""),
)


def among(*stems: str) -> dict[str, Look]:
    """The looks of things that stand in one chart, in its order."""
    return {stem: LOOKS[stem] for stem in stems}


DESIGNS = among("sparse", "misleading", "weighted")
PENALTIES = among("nothing", "as_much")
REWARDS = {"sparse": LOOKS["sparse"], "progress": LOOKS["progress"]}
WAYS = among("next_value", "look_ahead")
