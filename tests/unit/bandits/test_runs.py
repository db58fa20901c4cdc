"""Games, windows, curves, scores and duels: what must be true whatever the settings."""

import numpy as np
import pytest

from postproof.bandits import games as games_module
from postproof.bandits import runs
from postproof.bandits.agents import EpsilonGreedy, Gradient
from postproof.bandits.games import Contexts, Problems, best_values, blocks
from postproof.bandits.plays import play


def joined(problems, seed=4):
    return [np.concatenate(parts) for parts in zip(*blocks(problems, seed))]


@pytest.mark.parametrize(
    "problems",
    [
        Problems(7, 20, 3),
        Problems(7, 20, 3, walk_sd=0.1),
        Problems(7, 21, 3, situations=2, rise=1.0),
        Contexts(((0.0, 1.0), (2.0, 3.0)), 7, 20, 1.0),
    ],
)
def test_blocks_of_any_size_have_the_same_numbers(problems, monkeypatch):
    whole = joined(problems)
    monkeypatch.setattr(games_module, "BLOCK", 3)
    for one, other in zip(whole, joined(problems)):
        np.testing.assert_array_equal(one, other)


def test_a_kind_leaves_the_numbers_of_the_others_alone():
    plain, shifted, walking = (joined(Problems(5, 30, 4, **more)) for more in
                               ({}, {"value_mean": 4.0}, {"walk_sd": 0.1}))  # fmt: skip
    np.testing.assert_allclose(shifted[0], plain[0] + 4)
    for part in (2, 3, 4):
        np.testing.assert_array_equal(shifted[part], plain[part])
        np.testing.assert_array_equal(walking[part], plain[part])


def test_values_and_noise_are_normal():
    values, _, _, noise, uniform = joined(Problems(2000, 50, 10))
    for numbers in (values.ravel(), noise.ravel()):
        assert abs(numbers.mean()) < 5 / np.sqrt(numbers.size), "false alarm: one in 1.7 million"
        assert abs(numbers.var() - 1) < 5 * np.sqrt(2 / numbers.size)
    assert 0 <= uniform.min() and uniform.max() < 1


def test_in_a_rise_the_worst_arm_becomes_the_best_and_the_others_stay():
    values, _, situation, *_ = joined(Problems(50, 11, 6, situations=2, rise=1.5))
    for first, second in values:
        moved = np.flatnonzero(first != second)
        assert moved.tolist() == [first.argmin()] and second[moved[0]] == first.max() + 1.5
    assert situation[0].tolist() == [0] * 6 + [1] * 5


def test_best_values_are_those_of_the_games():
    problems = Problems(40, 10, 5)
    np.testing.assert_array_equal(best_values(problems, 4), joined(problems)[0][:, 0].max(axis=1))


@pytest.mark.parametrize("steps", [10, 11, 99, 1000, 60_000])
@pytest.mark.parametrize("per_decade", [2, 60])
def test_windows_cover_every_step_once_and_part_the_stretches(steps, per_decade):
    edges = runs.window_edges(steps, per_decade)
    assert edges[0] == 0 and edges[-1] == steps and (np.diff(edges) > 0).all()
    stretches = runs.Run(edges, {}).stretches()
    length = {name: edges[part.stop] - edges[part.start] for name, part in stretches.items()}
    assert length == {
        "all": steps,
        "first": -(-steps // 10),
        "second_half": steps - steps // 2,
        "last": -(-steps // 10),
    }


def test_sums_scores_and_duels_are_those_of_the_plays():
    problems, seed = Problems(60, 100, 4), 2
    agents = {"one": EpsilonGreedy(4, 0.1), "other": Gradient(4, 0.2)}
    run = runs.run(agents, problems, seed, runs.window_edges(100, 10))
    reward = {name: np.concatenate([play(agent, games).reward_BT for games in blocks(problems, seed)])
              for name, agent in agents.items()}  # fmt: skip
    scores = runs.scores(run).set_index(["agent", "stretch"])
    for name in agents:
        np.testing.assert_allclose(run.sums[name].reward_PW.sum(axis=1), reward[name].sum(axis=1))
        late = reward[name][:, 90:].mean(axis=1)
        assert scores.loc[(name, "last"), "reward"] == pytest.approx(late.mean())
        assert scores.loc[(name, "last"), "reward_error"] == pytest.approx(late.std(ddof=1) / np.sqrt(60))
    duel = runs.duels(run, [("one", "other"), ("one", "one")]).set_index(["against", "stretch", "measure"])
    gap = (reward["one"] - reward["other"])[:, 50:].mean(axis=1)
    row = duel.loc[("other", "second_half", "reward")]
    assert row["difference"] == pytest.approx(gap.mean()) and row["ahead"] == (gap > 0).mean()
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * gap.std(ddof=1) / np.sqrt(60), rel=1e-4)
    assert (duel.loc["one", ["difference", "low", "high", "ahead"]] == 0).all(axis=None)


def test_a_run_again_is_the_same_to_the_last_bit():
    problems = Problems(30, 50, 10)
    one, other = (runs.curves(runs.run({"a": Gradient(10, 0.4)}, problems, 1, runs.window_edges(50, 10)))
                  for _ in range(2))  # fmt: skip
    assert one.to_csv() == other.to_csv()
