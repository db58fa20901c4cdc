"""The sentences above the charts say what the tables have, and another sentence when these change."""

import math

import pandas as pd

from postproof.bandits.figures import (
    contextual,
    epsilon_greedy,
    gradient,
    noise,
    nonstationary,
    optimistic,
    parameter_study,
    testbed,
    ucb,
)


def test_the_best_arm_and_the_best_possible():
    example = pd.DataFrame({"arm": [1, 2], "value": [0.5, 1.5], "negative": [0.3, 0.067]})
    said = testbed.says(example, 1.53875, pd.Series([1.55]))
    assert said.startswith("Arm 2, the best with 1.5, gives less than nothing in 7 %")
    assert said.endswith("gives 1.539 on average, where the post has 1.55")
    never = testbed.says(example.assign(negative=0.0), 1.53875, pd.Series(dtype=float))
    assert "always gives something" in never and "the post" not in never


def curves(**ends: tuple[float, float]) -> pd.DataFrame:
    return pd.DataFrame([{"agent": agent, "epsilon": epsilon, "first_step": 1, "last_step": 50, "reward": reward,
                          "best_share": 0.36} for agent, (epsilon, reward) in ends.items()])  # fmt: skip


def crossing(reward: tuple[float, float], share: tuple[float, float]) -> pd.DataFrame:
    """Steps until which the small epsilon is behind, and from which it is ahead."""
    (behind, ahead), (behind_share, ahead_share) = reward, share
    rows = {"measure": ["reward", "best_share"], "reading": "at_step"}
    return pd.DataFrame(rows | {"behind_until": [behind, behind_share], "surely_ahead_from": [ahead, ahead_share]})


def test_where_little_exploration_overtakes():
    table = curves(greedy=(0.0, 1.04), small_epsilon=(0.01, 1.5), large_epsilon=(0.1, 1.4))
    said = epsilon_greedy.says(table, crossing((1300.0, 1600.0), (7000.0, 12000.0)))
    assert said.startswith(
        "ε = 0.01 overtakes ε = 0.1 by reward between steps 1,300 and 1,600, by the best arm's share"
    )
    assert said.endswith("greedy stays at 1.04, with the best arm in 36 %")
    assert "the best arm's share" not in epsilon_greedy.says(table, crossing((1.0, 2.0), (7000.0, math.nan)))
    assert "before step 9" in epsilon_greedy.says(table, crossing((math.nan, 9.0), (1.0, 2.0)))
    never = epsilon_greedy.says(table, crossing((1.0, math.nan), (1.0, 2.0)))
    assert "does not overtake ε = 0.1 for sure within 50 steps" in never


def scores(**shares: float) -> pd.DataFrame:
    return pd.DataFrame([{"agent": agent, "stretch": "last", "best_share": share} for agent, share in shares.items()])


def test_how_often_a_high_start_tries_all():
    tries = pd.DataFrame({"agent": ["optimistic"] * 3 + ["optimistic_average"] * 3, "tries": [1, 2, 3] * 2,
                          "share": [1, 1, 0.995, 1, 0, 0]})  # fmt: skip
    said = optimistic.says(scores(optimistic=0.84, optimistic_average=0.69), tries)
    assert "3 times at least with a constant step size, once with sample averages" in said and "84 % and 69 %" in said
    assert "not even once" in optimistic.says(scores(optimistic=0.84, optimistic_average=0.69), tries.assign(share=0.5))


def test_who_earns_more():
    parameter = pd.Series({"ucb": 2.0, "large_epsilon": 0.1})

    def says(difference: float, low: float, high: float) -> str:
        row = {"agent": "ucb", "against": "large_epsilon", "measure": "reward", "stretch": "all", "ahead": 0.7,
               "difference": difference, "low": low, "high": high}  # fmt: skip
        return ucb.says(pd.DataFrame([row]), parameter)

    assert "earns 0.080 (0.070 to 0.090) more a step than" in says(0.08, 0.07, 0.09)
    assert "earns 0.080 (0.070 to 0.090) less a step than" in says(-0.08, -0.09, -0.07)
    assert "within the error" in says(0.01, -0.02, 0.04)


def test_what_a_baseline_is_worth():
    shares = {"gradient_slow_before": 0.85, "gradient_slow_none": 0.49, "gradient_fast_before": 0.71,
              "gradient_fast_none": 0.75}  # fmt: skip
    parameter = pd.Series({"gradient_slow_before": 0.1, "gradient_fast_before": 0.4})
    said = gradient.says(scores(**shares), parameter)
    assert "falls from 85 % to 49 % at α = 0.1" in said and "rises from 71 % to 75 % at α = 0.4" in said


def test_who_finds_the_new_best_arm():
    def says(switch: float, rise: float) -> str:
        rows = [scores(realistic=0.7, large_epsilon=0.4, optimistic=share).assign(kind=kind)
                for kind, share in (("drifting", 0.5), ("switch", switch), ("rise", rise))]  # fmt: skip
        return nonstationary.says(pd.concat(rows))

    assert "70 % with a constant α, 40 % with averages" in says(0.8, 0.2)
    assert "drawn anew a high start finds more of the best arm than ε, after a rise of the worst less of it" in says(
        0.8, 0.2
    )
    assert "finds less of the best arm than ε, after a rise of the worst more of it" in says(0.2, 0.8)
    assert "finds less of the new best arm than ε after either change" in says(0.2, 0.2)


def test_whether_noise_makes_exploring_worth_more():
    table = pd.DataFrame({"variance": [0.0, 10.0], "agent": "epsilon_0.1", "stretch": "all", "epsilon": 0.1,
                          "reward": [1.0, 0.9], "over_greedy": [0.6, 0.3],
                          "over_tries_first": [-0.1, 0.2]})  # fmt: skip
    said = noise.says(table)
    assert "over greedy from 0 it does not grow, from +0.60 to +0.30" in said
    assert "after a try of all it grows, from -0.10 to +0.20" in said


def test_whether_it_matters_what_the_blind_do():
    table = pd.DataFrame({"agent": ["seeing", "seeing_optimistic"], "reward": [54.5, 55.0]})
    expected = pd.Series({"action_1": 50.0, "action_2": 50.0, "best_blind": 50.0, "best_seeing": 55.0})
    assert "gets 50 whatever it does" in contextual.says(table, expected)
    assert "gets 50 at best" in contextual.says(table, pd.Series({**expected, "action_2": 45.0}))


def test_where_ucb_leads():
    best = pd.DataFrame({"kind": ["a", "a", "b_c", "b_c"], "family": ["ucb", "epsilon_constant"] * 2,
                         "reward": [1.5, 1.2, 0.7, 0.9], "lead_low": [0.1, -0.2, -0.1, 0.1]})  # fmt: skip
    said = parameter_study.says(best)
    assert "on 1 of 2 kinds of problems, and most of all on 1; else ε-greedy, constant α on b c" in said
    assert "else" not in parameter_study.says(best[best["kind"] == "a"])
