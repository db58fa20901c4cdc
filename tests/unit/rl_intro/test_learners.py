"""Each agent against a loop written from its equations, with the same draws; and against autograd and exact values."""

import itertools
import math

import numpy as np
import pytest
import torch

from postproof.mdp import finite, solve
from postproof.rl_intro import exact, learners, worlds
from postproof.rl_intro.settings import Learning

STEPS = 6000
RATES = Learning(world=worlds.SLIPPERY, step_size=0.3, epsilon=0.2, discount=0.9, longest_episode=20_000, seeds=(0,))


def run(agent, steps: int = STEPS, world: str = worlds.SLIPPERY, seed: int = 5) -> list[tuple[float, bool]]:
    return list(itertools.islice(learners.steps(worlds.make(world), agent, seed), steps))


def agent(kind, rates: Learning = RATES, seed: int = 1, **options):
    acting, planning = learners.generators(seed)
    if issubclass(kind, learners.DynaQ):
        options["planning_rng"] = planning
    return kind(54, 4, rates, acting, **options)


def by_equations(sarsa: bool, planned: int = 0, steps: int = STEPS, world: str = worlds.SLIPPERY) -> np.ndarray:
    """Q after as many steps, from the boxes of sections 6.4, 6.5 and 8.2, in arrays and with no class."""
    acting, planning = learners.generators(1)
    env = worlds.make(world)
    Q, model = np.zeros((54, 4)), {}

    def choose(s):
        if acting.random() < RATES.epsilon:
            return math.floor(acting.random() * 4)
        ties = np.flatnonzero(Q[s] == Q[s].max())
        return int(ties[math.floor(acting.random() * len(ties))])

    s, _ = env.reset(seed=5)
    a = choose(s)
    for _ in range(steps):
        s2, r, ended, _, _ = env.step(a)
        if sarsa:
            a2 = choose(s2)
            Q[s, a] += RATES.step_size * (r + RATES.discount * (0 if ended else Q[s2, a2]) - Q[s, a])
        else:
            Q[s, a] += RATES.step_size * (r + RATES.discount * (0 if ended else Q[s2].max()) - Q[s, a])
            model.setdefault(s, {})[a] = r, s2, ended
            for u, w in planning.random((planned, 2)):
                ps = list(model)[math.floor(u * len(model))]
                pa = list(model[ps])[math.floor(w * len(model[ps]))]
                pr, ps2, pended = model[ps][pa]
                Q[ps, pa] += RATES.step_size * (pr + RATES.discount * (0 if pended else Q[ps2].max()) - Q[ps, pa])
            a2 = choose(s2)
        if ended:
            s2, _ = env.reset()
            a2 = choose(s2)
        s, a = s2, a2
    return Q


@pytest.mark.parametrize("kind, options, expected", [
    (learners.QLearning, {}, {"sarsa": False}),
    (learners.Sarsa, {}, {"sarsa": True}),
    (learners.DynaQ, {"planning_steps": 3}, {"sarsa": False, "planned": 3}),
])  # fmt: skip
def test_same_draws_same_values_as_the_equations(kind, options, expected):
    ours = agent(kind, **options)
    run(ours)
    found = np.array(ours.q_SA)
    assert (found > 0).sum() > 20  # it has learned something
    np.testing.assert_allclose(found, by_equations(**expected), rtol=1e-12, atol=1e-300)


def test_dyna_q_without_planning_is_q_learning():
    plain, dyna = agent(learners.QLearning), agent(learners.DynaQ, planning_steps=0)
    assert run(plain) == run(dyna)
    assert plain.q_SA == dyna.q_SA


def test_agents_of_a_seed_have_one_first_episode():
    """Until the first reward all values are 0 and planning changes none: all walk at random, by the same draws."""
    agents = agent(learners.QLearning), agent(learners.Sarsa), agent(learners.DynaQ, planning_steps=7)
    firsts = {next(learners.episodes(worlds.make(worlds.DYNA), one, 5)) for one in agents}
    assert len(firsts) == 1


def test_the_model_is_the_table_where_there_is_no_luck_and_planning_comes_to_its_values():
    rates = Learning(**vars(RATES) | {"step_size": 1.0, "epsilon": 1.0})
    ours = agent(learners.DynaQ, rates, planning_steps=10)
    run(ours, 5000, worlds.DYNA)
    env = worlds.make(worlds.DYNA)
    assert len(ours.model) > 150  # of 184 pairs
    for (state, action), predicted in ours.model.items():
        [(_, after, reward, ended)] = env.unwrapped.P[state][action]
        assert predicted == (reward, after, ended)
    mdp = finite.from_gymnasium(env)
    if len(ours.model) == 184:
        acting = exact.acting_states(mdp, worlds.starts(env))
        q_SA = solve.optimal(mdp, rates.discount)[1]
        np.testing.assert_allclose(np.array(ours.q_SA)[acting], q_SA[acting], rtol=1e-9)


def test_the_bonus_is_the_root_of_the_time_since_an_action_was_tried():
    ours = agent(learners.DynaQPlus, planning_steps=0, bonus=0.5)
    for state, action in ((3, 0), (3, 1), (4, 1), (3, 1)):
        ours.observe(state, action, 0.0, 4, False)
    assert ours.simulated(3, 1) == (0.0, 4, False)
    assert ours.simulated(3, 0) == (pytest.approx(0.5 * math.sqrt(3)), 4, False)
    assert ours.simulated(3, 2) == (pytest.approx(0.5 * math.sqrt(4)), 3, False)  # never tried: it would stay


def test_decreasing_steps_of_power_one_are_the_mean():
    rates = Learning(**vars(RATES) | {"discount": 0.0})
    ours = agent(learners.DecreasingQLearning, rates, power=1.0)
    rewards = np.random.default_rng(0).normal(size=500)
    for n, reward in enumerate(rewards, start=1):
        ours.learn(2, 1, float(reward), 2, False)
        assert ours.q_SA[2][1] == pytest.approx(rewards[:n].mean(), abs=1e-12)


def test_reinforce_follows_the_gradient_that_autograd_finds():
    rng = np.random.default_rng(0)
    for _ in range(50):
        ours = learners.Reinforce(3, 4, 0.7, 0.9, learners.generators(0)[0])
        ours.preference_SA = rng.normal(size=(3, 4)).tolist()
        theta = torch.tensor(ours.preference_SA, dtype=torch.float64, requires_grad=True)
        episode = [(int(rng.integers(3)), int(rng.integers(4)), float(rng.normal())) for _ in range(6)]
        returns = [sum(0.9**k * reward for k, (_, _, reward) in enumerate(episode[t:])) for t in range(6)]
        for (state, action, _), return_ in reversed(list(zip(episode, returns))):
            gradient = torch.autograd.grad(torch.log_softmax(theta[state], 0)[action], theta)[0]
            theta = (theta + 0.7 * return_ * gradient).detach().requires_grad_()
        for i, step in enumerate(episode):
            ours.observe(*step, 0, i == 5)
        np.testing.assert_allclose(ours.preference_SA, theta.detach().numpy(), rtol=1e-12, atol=1e-14)


def test_an_episode_that_is_cut_off_leaves_reinforce_as_it_was():
    ours = learners.Reinforce(54, 4, 0.5, 0.9, learners.generators(0)[0])
    list(itertools.islice(learners.steps(worlds.make(worlds.DYNA, max_episode_steps=10), ours, 0), 25))
    assert len(ours.episode) == 5 and not np.any(ours.preference_SA)


def test_actions_are_greedy_but_for_epsilon_and_ties_are_fair():
    """Of 20,000 draws a share is off by more than 5 standard deviations less than once in a million."""
    ours = agent(learners.QLearning)
    ours.q_SA[0] = [1.0, 0.0, 1.0, -1.0]
    shares = np.bincount([ours.act(0) for _ in range(20_000)], minlength=4) / 20_000
    expected = exact.epsilon_greedy(np.array(ours.q_SA), RATES.epsilon)[0]
    np.testing.assert_allclose(expected, [0.45, 0.05, 0.45, 0.05])
    assert (np.abs(shares - expected) < 5 * np.sqrt(expected * (1 - expected) / 20_000)).all()


def test_an_episode_has_as_many_steps_as_rewards_are_counted_over():
    steps = run(agent(learners.QLearning), 3000)
    episodes = list(itertools.islice(learners.episodes(worlds.make(worlds.SLIPPERY), agent(learners.QLearning), 5), 3))
    ends = [i + 1 for i, (_, over) in enumerate(steps) if over][:3]
    assert [length for length, _ in episodes][: len(ends)] == np.diff([0, *ends]).tolist()
