"""The tables of the post from small settings, against their schemas and against closed forms."""

import json
import math

import numpy as np
import pytest

from postproof.bandits import (
    contextual,
    epsilon_greedy,
    identities,
    noise,
    parameter_study,
    runs,
    testbed,
)
from postproof.bandits.runs import Run, Sums
from postproof.bandits.settings import (
    ContextualOnTestbed,
    ExampleOnTestbed,
    Identities,
    LongRunOnTestbed,
    NoiseOnTestbed,
)
from postproof.core import tables
from postproof.core.files import read_csv

TESTBED = {"seed": 0, "arms": 5, "problems": 30, "steps": 60, "reward_variance": 1, "windows_per_decade": 10}
AGENTS = {"small_epsilon": 0.01, "large_epsilon": 0.1, "step_size": 0.1, "optimistic_start": 5, "c": 2,
          "gradient_step_sizes": [0.1, 0.4], "gradient_mean": 4, "early_steps": 40}  # fmt: skip
KIND = {"arms": 3, "problems": 10, "steps": 20, "reward_variance": 1, "walk_sd": 0, "value_sd": 1}
CONTEXTS = {"values": [[10, 20], [90, 80], [0, 1]], "contextual_variance": 0, "contextual_epsilon": 0.1,
            "contextual_start": 100, "contextual_windows": 5}  # fmt: skip
STUDY = {"kinds": {"testbed": KIND, "drifting": KIND | {"walk_sd": 0.1}}, "epsilons": [0, 1], "cs": [1],
         "optimistic_starts": [2], "gradient_step_sizes": [0.1, 1], "step_size": 0.1}  # fmt: skip


class Arguments:
    def __init__(self, **values):
        vars(self).update(values)


def test_a_study_of_two_kinds(tmp_path):
    paths = {"out": tmp_path / "a.csv", "out_best": tmp_path / "b.csv"}
    parameter_study.main(Arguments(testbed=json.dumps(TESTBED), settings=json.dumps(STUDY), **paths))
    scores = tables.read(paths["out"], "bandits/parameter_study")
    best = tables.read(paths["out_best"], "bandits/parameter_study_best")
    assert len(scores) == 2 * (2 + 2 + 2 + 1 + 1) and len(best) == 2 * 5
    highest = scores.groupby(["kind", "family"])["reward"].max()
    assert highest.loc[list(zip(best["kind"], best["family"]))].tolist() == best["reward"].tolist()
    own = best[best["family"] == "epsilon_greedy"]
    assert (own[["lead", "lead_low", "lead_high"]] == 0).all(axis=None)
    base = own.set_index("kind")["reward"]
    np.testing.assert_allclose(best["lead"], best["reward"] - best["kind"].map(base), atol=1e-8)


@pytest.mark.parametrize(
    ("arms", "exact"), [(2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi)), (10, 1.53875273)]
)
def test_the_expected_best_is_that_of_order_statistics(arms, exact):
    """Closed forms for 2 and 3; for 10 the tables of Teichroew (1956)."""
    assert testbed.expected_best(arms) == pytest.approx(exact, abs=1e-8)


def test_the_drawn_best_is_near_its_expectation():
    of = ExampleOnTestbed(**TESTBED | {"problems": 20_000}, values=(0.0, 1.0), draws=100)
    best_P = testbed.best_values(testbed.Problems(of.problems, of.steps, of.arms), of.seed)
    row = testbed.possible(of, best_P).iloc[0]
    assert abs(row["drawn"] - row["expected"]) < 5 * row["error"], "false alarm: one in 1.7 million"
    assert testbed.bars(best_P)["share"].sum() == pytest.approx(1)


def made_run(small: list[float], large: list[float]) -> Run:
    """Four problems with these rewards per window, a little apart from one another."""
    edges = np.array([0, 10, 20, 30])
    spread = 1 + 0.001 * np.arange(4)[:, None]
    sums = {name: Sums(np.array(rows) * spread, np.array(rows) * spread) for name, rows in
            {epsilon_greedy.SMALL: small, epsilon_greedy.LARGE: large}.items()}  # fmt: skip
    return Run(edges, sums)


def test_a_crossing_is_where_the_small_epsilon_is_ahead_for_good():
    table = epsilon_greedy.crossings(made_run([5, 30, 90], [10, 20, 60])).set_index(["measure", "reading"])
    at_step = table.loc[("reward", "at_step")]
    assert at_step["behind_until"] == 10 and at_step["ahead_from"] == at_step["surely_ahead_from"] == 11
    never = epsilon_greedy.crossings(made_run([5, 30, 50], [10, 20, 60])).set_index(["measure", "reading"])
    assert math.isnan(never.loc[("reward", "at_step"), "ahead_from"])
    always = epsilon_greedy.crossings(made_run([15, 30, 70], [10, 20, 60])).set_index(["measure", "reading"])
    assert math.isnan(always.loc[("reward", "at_step"), "behind_until"])
    assert always.loc[("reward", "at_step"), "ahead_from"] == 1


def test_no_epsilon_pulls_the_best_arm_above_its_cap():
    of = LongRunOnTestbed(**TESTBED, **AGENTS, long_steps=100)
    caps = epsilon_greedy.caps(of).set_index("agent")["best_share_cap"]
    assert caps.to_dict() == {"greedy": 1, "small_epsilon": 0.99 + 0.002, "large_epsilon": 0.9 + 0.02}


def test_without_noise_one_try_of_each_arm_is_enough():
    of = NoiseOnTestbed(**TESTBED, variances=(0.0, 1.0), epsilons=(0.1,), noise_problems=50, noise_steps=1000)
    table = noise.scores(of, 0.0).set_index(["agent", "stretch"])
    best = testbed.best_values(runs.Problems(50, 1000, 5), 0).mean()
    # Five pulls of arms whose values average to about 0, then always the best.
    assert table.loc[("tries_first", "all"), "reward"] == pytest.approx(best * 0.995, abs=0.005)


def test_the_posts_two_cases_give_50_and_55():
    of = ContextualOnTestbed(**TESTBED, values=((10.0, 20.0), (90.0, 80.0)), contextual_variance=1.0,
                             contextual_epsilon=0.1, contextual_start=100.0, contextual_windows=5)  # fmt: skip
    expected = contextual.policies(of).set_index("policy")["expected"]
    assert expected["best_blind"] == 50 and expected["best_seeing"] == 55
    assert expected["action_1"] == expected["action_2"] == expected["random"] == 50


def test_identities_hold_to_rounding():
    found = identities.identities(Identities(seed=1, rewards=300, arms=6, decades=2), alpha=0.2)
    for check in ("incremental_mean", "recency_weights", "weights_sum", "first_policy", "expected_update"):
        assert found[check] < 1e-13, check
    assert found["expected_update_based"] < 1e-11 and found["shifted_policy"] < 1e-11
    assert found["greedy_share"] == 0.75 and found["numbers_per_arm"] == 2 and found["untried_score"] == 0
    assert [found[f"weight_{i}"] for i in (1, 2, 3)] == pytest.approx([0.2, 0.16, 0.128])


def test_sums_of_step_sizes():
    table = identities.sums(Identities(seed=0, rewards=10, arms=2, decades=3), alpha=0.1).set_index(
        ["step_size", "terms"]
    )
    assert table.loc[("average", 1000), "sum"] == pytest.approx(math.log(1000) + 0.5772156649 + 1 / 2000, abs=1e-6)
    assert table.loc[("average", 1000), "sum_of_squares"] < math.pi**2 / 6
    assert table.loc[("constant", 1000), "sum_of_squares"] == pytest.approx(10)
    # Of n averaged rewards 1/n of the variance is left; of the others by the sum of their squared weights.
    assert table.loc[("average", 1000), "noise_left"] == pytest.approx(1 / 1000)
    assert table.loc[("constant", 10), "noise_left"] == pytest.approx(sum((0.1 * 0.9**age) ** 2 for age in range(10)))
    sizes = [1 / math.sqrt(n) for n in range(1, 101)]
    weights = [size * math.prod(1 - later for later in sizes[at + 1 :]) for at, size in enumerate(sizes)]
    assert table.loc[("root", 100), "noise_left"] == pytest.approx(sum(weight**2 for weight in weights))


def test_the_same_job_gives_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        paths = {"out": tmp_path / f"{name}.csv", "out_policies": tmp_path / f"{name}-policies.csv"}
        contextual.main(Arguments(settings=[json.dumps(TESTBED), json.dumps(CONTEXTS)], **paths))
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "other.csv").read_bytes()
    assert len(read_csv(tmp_path / "one.csv"))
