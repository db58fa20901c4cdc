"""Agents by their equations: averages, caps, gradients, and against the compiled loops, arm by arm."""

import math

import numpy as np
import pytest
import torch

from postproof.bandits.agents import Contextual, EpsilonGreedy, Gradient, UpperConfidence, greatest, step_by_step
from postproof.bandits.exponential import exponential
from postproof.bandits.games import Contexts, Problems, blocks
from postproof.bandits.plays import play
from postproof.core.errors import PostproofError

STEPS = 300
LOGS = np.log(np.arange(1, STEPS + 1)).tolist()
AGENTS = {
    "greedy": lambda k: EpsilonGreedy(k, 0.0),
    "epsilon": lambda k: EpsilonGreedy(k, 0.1),
    "random": lambda k: EpsilonGreedy(k, 1.0),
    "constant": lambda k: EpsilonGreedy(k, 0.3, 0.1),
    "optimistic": lambda k: EpsilonGreedy(k, 0.0, 0.1, 5.0),
    "optimistic_average": lambda k: EpsilonGreedy(k, 0.0, None, 5.0),
    "ucb": lambda k: UpperConfidence(k, 2.0, LOGS),
    "ucb_constant": lambda k: UpperConfidence(k, 0.5, LOGS, 0.1),
    "gradient_before": lambda k: Gradient(k, 0.4, "before"),
    "gradient_through": lambda k: Gradient(k, 0.1, "through"),
    "gradient_none": lambda k: Gradient(k, 2.0, "none"),
}
PROBLEMS = {
    "testbed": Problems(27, STEPS, 10),
    "noiseless": Problems(27, STEPS, 3, reward_sd=0.0),
    "drifting": Problems(27, STEPS, 4, value_sd=0.0, walk_sd=0.1),
    "switch": Problems(27, STEPS, 5, situations=2),
    "rise": Problems(27, STEPS, 5, situations=2, rise=1.0),
    "two_arms": Problems(2, STEPS, 2),
}


@pytest.mark.parametrize("kind", PROBLEMS)
@pytest.mark.parametrize("name", AGENTS)
def test_the_compiled_loop_pulls_the_same_arms(name, kind):
    problems = PROBLEMS[kind]
    for games in blocks(problems, seed=3):
        played = play(AGENTS[name](problems.arms), games)
        for b in range(0, len(games.noise_BT), 9):
            one = [np.asarray(part)[b] for part in games]
            arms, rewards = step_by_step(AGENTS[name](problems.arms), *one)
            assert played.arm_BT[b].tolist() == arms and played.reward_BT[b].tolist() == rewards


def test_the_compiled_loop_sees_situations_as_the_agent_does():
    contexts = Contexts(((10.0, 20.0, 0.0), (90.0, 80.0, 0.0)), 5, STEPS, 1.0)
    [games] = blocks(contexts, seed=1)
    for initial, epsilon in ((0.0, 0.2), (100.0, 0.0)):
        played = play(Contextual(2, 3, epsilon, initial), games)
        for b in range(5):
            one = [np.asarray(part)[b] for part in games]
            arms, rewards = step_by_step(Contextual(2, 3, epsilon, initial), *one)
            assert played.arm_BT[b].tolist() == arms and played.reward_BT[b].tolist() == rewards


@pytest.mark.parametrize("kind", PROBLEMS)
def test_a_best_arm_is_one_of_the_highest_value(kind):
    games = next(blocks(PROBLEMS[kind], seed=5))
    played = play(EpsilonGreedy(PROBLEMS[kind].arms, 1.0), games)
    for b, values_SK in enumerate(games.values_BSK):
        values_SK = values_SK.copy()
        for t in range(STEPS):
            now_K = values_SK[games.situation_BT[b, t]]
            assert played.best_BT[b, t] == (now_K[played.arm_BT[b, t]] == now_K.max())
            if games.walk_BTK.shape[1]:
                values_SK += games.walk_BTK[b, t]


def test_an_agent_for_other_problems_is_refused():
    games = next(blocks(PROBLEMS["testbed"], seed=0))
    for other in (EpsilonGreedy(3, 0.1), Contextual(2, 10, 0.1)):
        with pytest.raises(PostproofError, match="do not fit"):
            play(other, games)
    with pytest.raises(PostproofError, match="too few logarithms"):
        play(UpperConfidence(10, 2.0, LOGS[:-1]), games)


@pytest.mark.parametrize("seed", range(5))
def test_the_incremental_mean_is_the_batch_mean(seed):
    rng = np.random.default_rng(seed)
    agent, rewards = EpsilonGreedy(4, 0.1), [[] for _ in range(4)]
    for arm, reward in zip(rng.integers(4, size=500).tolist(), rng.normal(size=500).tolist()):
        agent.learn(arm, reward)
        rewards[arm].append(reward)
        assert agent.q_K[arm] == pytest.approx(np.mean(rewards[arm]), abs=1e-12)


@pytest.mark.parametrize("baseline", ["before", "through", "none"])
def test_the_gradient_step_is_that_of_autograd(baseline):
    """(R - baseline) times the gradient of ln pi(A), by torch."""
    rng = np.random.default_rng(2)
    agent, alpha, rewards = Gradient(6, 0.3, baseline), 0.3, []
    for uniform, reward in zip(rng.random(50).tolist(), rng.normal(1, 2, size=50).tolist()):
        h_K = torch.tensor(agent.h_K, dtype=torch.float64, requires_grad=True)
        arm = agent.choose(uniform)
        torch.log_softmax(h_K, 0)[arm].backward()
        rewards.append(reward)
        before = np.mean(rewards[:-1]) if rewards[:-1] else reward
        against = {"before": before, "through": np.mean(rewards), "none": 0.0}[baseline]
        expected_K = h_K.detach() + alpha * (reward - against) * h_K.grad
        agent.learn(arm, reward)
        np.testing.assert_allclose(agent.h_K, expected_K.numpy(), rtol=0, atol=1e-12)


def test_epsilon_greedy_pulls_the_greedy_arm_as_often_as_said():
    agent = EpsilonGreedy(2, 0.5)
    agent.learn(1, 1.0)
    arms = [agent.choose((i + 0.5) / 1000) for i in range(1000)]
    assert arms.count(1) == 750


@pytest.mark.parametrize("arms", [1, 2, 3, 10, 127])
def test_uniform_numbers_reach_every_arm_and_none_beyond(arms):
    almost_one = math.nextafter(1.0, 0.0)
    agent, picks = EpsilonGreedy(arms, 1.0), set()
    for uniform in (0.0, *((i + 0.5) / 1000 for i in range(1000)), almost_one):
        picks.add(agent.choose(uniform))
        picks.add(greatest([0.0] * arms, uniform))
    assert picks == set(range(arms))


def test_ties_are_broken_evenly():
    counts = np.bincount([greatest([1.0, 0.0, 1.0, 1.0], (i + 0.5) / 999) for i in range(999)])
    assert counts.tolist() == [333, 0, 333, 333]


def test_every_arm_is_tried_before_ucb_compares():
    agent = UpperConfidence(5, 2.0, LOGS)
    arms = []
    for uniform in np.random.default_rng(0).random(5).tolist():
        arms.append(agent.choose(uniform))
        agent.learn(arms[-1], 100.0 * len(arms))
    assert sorted(arms) == [0, 1, 2, 3, 4]


def test_optimism_with_sample_averages_ends_after_one_pull():
    average, constant = EpsilonGreedy(3, 0.0, None, 5.0), EpsilonGreedy(3, 0.0, 0.1, 5.0)
    for agent in (average, constant):
        agent.learn(0, 1.0)
    assert average.q_K[0] == 1.0 and constant.q_K[0] == pytest.approx(4.6)


def test_a_shift_of_rewards_is_nothing_to_a_baseline():
    near, far = Gradient(4, 0.1), Gradient(4, 0.1)
    rng = np.random.default_rng(7)
    for uniform, reward in zip(rng.random(300).tolist(), rng.normal(size=300).tolist()):
        arm = near.choose(uniform)
        assert far.choose(uniform) == arm
        near.learn(arm, reward)
        far.learn(arm, reward + 4)
    np.testing.assert_allclose(near.h_K, far.h_K, atol=1e-9)


def test_the_exponential_is_that_of_the_library_to_the_last_places():
    x = np.concatenate([np.linspace(-40, 0, 4001), [-700.0, -1e-300, -0.0]])
    ours = np.array([exponential.py_func(float(value)) for value in x])
    np.testing.assert_allclose(ours, np.exp(x), rtol=5e-16)
    assert [exponential(float(value)) for value in x] == ours.tolist(), "compiled and interpreted alike"
    assert exponential(0.0) == 1.0 and 0 < exponential(-1e9) < 1e-306
