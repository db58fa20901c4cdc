"""How each thing that the charts of this post compare is named and drawn: one look each, wherever it stands.

Agents without a model are blue and orange; what plans more is darker or further from them.
"""

from __future__ import annotations

from postproof.charts.palette import BLACK, BLUE, DARK_GREY, GREEN, GREY, ORANGE, SKY, VERMILLION, Look, looks

LOOKS = looks(
    # Agents.
    Look("q_learning", "Q-learning", "Q-learning, no model", BLUE, "o"),
    Look("sarsa", "Sarsa", "Sarsa, no model", ORANGE, "s"),
    Look("dyna_few", "Dyna-Q", "Dyna-Q, few planning steps", SKY, "^"),
    Look("dyna_many", "Dyna-Q", "Dyna-Q, many planning steps", GREEN, "D"),
    Look("dyna_q", "Dyna-Q", "Dyna-Q, plans with a model", VERMILLION, "v"),
    Look("dyna_q_plus", "Dyna-Q+", "Dyna-Q+, with a bonus for what was not tried for long", BLACK, "P"),
    # Shares of right actions.
    Look("right_states", "over all states", "of all states", GREY, "o"),
    Look("right_steps", "over its own steps", "of the steps that it takes itself", BLACK, "o"),
    # Outcomes of single seeds, and their mean.
    Look("seed", "a seed", "outcome of one seed", BLUE, "."),
    Look("mean", "mean", "mean over the seeds", BLACK, "|"),
    # What learned values are held against.
    Look("own_limit", "its own limit", "values of the policy that it learns of", BLACK, "", "-"),
    Look("other_limit", "the other's limit", "values of the policy that the other learns of", BLACK, "", ":"),
    # Lines to compare with.
    Look("best", "best", "the best that there is, exact", DARK_GREY, "", "--"),
    Look("exploring", "best that explores", "the best with as many random actions, exact", DARK_GREY, "", ":"),
)


def among(*stems: str) -> dict[str, Look]:
    """The looks of things that stand in one chart, in its order."""
    return {stem: LOOKS[stem] for stem in stems}


LEARNERS = among("q_learning", "sarsa", "dyna_few", "dyna_many")
CHANGING = among("q_learning", "dyna_q", "dyna_q_plus")
