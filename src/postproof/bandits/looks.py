"""How each agent that the charts of this post compare is named and drawn: one look each, wherever it stands.

Agents of one kind share a colour: greedy ones are black, epsilon-greedy ones blue, optimistic ones vermillion, UCB
green, gradient ones orange. A constant step size is dashed where the sample average is solid.
"""

from __future__ import annotations

from postproof.charts.palette import BLACK, BLUE, DARK_GREY, GREEN, GREY, ORANGE, SKY, VERMILLION, Look, looks

LOOKS = looks(
    Look("greedy", "greedy", "greedy", BLACK, "s"),
    Look("tries_first", "greedy after trying all", "greedy after one try of every arm", BLACK, "D", "--"),
    Look("small_epsilon", "small ε", "ε-greedy that explores little", SKY, "v"),
    Look("large_epsilon", "large ε", "ε-greedy that explores more", BLUE, "o"),
    Look("realistic", "ε, constant α", "ε-greedy with a constant step size", BLUE, "^", "--"),
    Look("optimistic", "optimistic, constant α", "greedy from a high start, constant step size", VERMILLION, "o", "--"),
    Look("optimistic_average", "optimistic, 1/n", "greedy from a high start, sample averages", VERMILLION, "s"),
    Look("ucb", "UCB", "upper confidence bound, sample averages", GREEN, "D"),
    Look("gradient_slow_before", "slow", "gradient with baseline, smaller step size", ORANGE, "o"),
    Look("gradient_fast_before", "fast", "gradient with baseline, larger step size", ORANGE, "o", "--"),
    Look("gradient_slow_none", "slow, bare", "gradient without baseline, smaller step size", GREY, "o"),
    Look("gradient_fast_none", "fast, bare", "gradient without baseline, larger step size", GREY, "o", "--"),
    # Families over their parameter.
    Look("epsilon_greedy", "ε-greedy: ε", "ε-greedy, sample averages", BLUE, "s"),
    Look("epsilon_constant", "ε-greedy, constant α: ε", "ε-greedy, constant step size", BLUE, "v", "--"),
    Look("gradient", "gradient: α", "gradient with baseline", ORANGE, "D"),
    Look("ucb_family", "UCB: c", "upper confidence bound", GREEN, "o"),
    Look("optimistic_family", "optimistic: start", "greedy from a high start, constant step size", VERMILLION, "^"),
    # What is seen of the context.
    Look("blind", "blind", "sees no case, ε-greedy", DARK_GREY, "o"),
    Look("blind_optimistic", "blind, optimistic", "sees no case, greedy from a high start", DARK_GREY, "o", "--"),
    Look("seeing", "seeing", "sees the case, ε-greedy", SKY, "o"),
    Look("seeing_optimistic", "seeing, optimistic", "sees the case, greedy from a high start", SKY, "o", "--"),
)


def among(*stems: str) -> dict[str, Look]:
    """The looks of things that stand in one chart, in its order."""
    return {stem: LOOKS[stem] for stem in stems}


# A family of the parameter study, and the stem of its look.
FAMILIES = {family: family for family in ("epsilon_greedy", "epsilon_constant", "gradient")} | {
    "optimistic": "optimistic_family",
    "ucb": "ucb_family",
}
