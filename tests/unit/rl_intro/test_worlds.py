"""The worlds of rl_intro: what gymnasium's checker, their own tables and other libraries say of them."""

import itertools

import gymnasium
import networkx
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from quantecon.markov import DiscreteDP

from postproof.core.errors import ParamsError
from postproof.mdp import finite, solve
from postproof.rl_intro import exact, worlds

GAMMA = 0.95
OPTIONS = {worlds.BLOCKING: {"change_after": 5}, worlds.SHORTCUT: {"change_after": 5}}
ALL = (worlds.DYNA, worlds.SLIPPERY, worlds.BLOCKING, worlds.SHORTCUT)


def made(name: str, **options):
    return worlds.make(name, **OPTIONS.get(name, {}) | options)


def graph(table) -> networkx.DiGraph:
    """States as nodes, each possible move an edge; every end is one node."""
    edges = networkx.DiGraph()
    for state, actions in table.items():
        for outcomes in actions.values():
            edges.add_edges_from((state, "end" if ended else after) for _, after, _, ended in outcomes)
    return edges


@pytest.mark.parametrize("name", ALL)
@pytest.mark.filterwarnings("ignore")  # the checker recommends what a world of the registry does not need
def test_gymnasium_takes_it_for_an_environment(name):
    check_env(made(name).unwrapped, skip_render_check=True, skip_close_check=True)


@pytest.mark.parametrize("name", ALL)
def test_probabilities_sum_to_one_and_only_the_goal_pays(name):
    for actions in made(name).unwrapped.P.values():
        for outcomes in actions.values():
            assert sum(chance for chance, *_ in outcomes) == pytest.approx(1)
            assert all(reward in (0, 1) and (reward == 0 or ended) for _, _, reward, ended in outcomes)


def test_steps_happen_as_often_as_the_table_says():
    """Of 20,000 random steps in a slippery maze: a frequency is off by more than 5 standard deviations once in a
    million, and there are some 500 of them."""
    env = made(worlds.SLIPPERY)
    state, _ = env.reset(seed=3)
    rng = np.random.default_rng(0)
    counts: dict[tuple[int, int], dict[int, int]] = {}
    for action in rng.integers(4, size=20_000).tolist():
        after, _, ended, _, _ = env.step(action)
        counts.setdefault((state, action), {}).setdefault(after, 0)
        counts[state, action][after] += 1
        state = env.reset()[0] if ended else after
    for (state, action), seen in counts.items():
        n = sum(seen.values())
        chances = {after: chance for chance, after, _, _ in env.unwrapped.P[state][action]}
        assert set(seen) <= set(chances)
        for after, chance in chances.items():
            assert abs(seen.get(after, 0) - n * chance) <= 5 * np.sqrt(n * chance * (1 - chance)) + 1e-9


def test_the_shortest_ways_are_those_of_the_book_and_of_networkx():
    book = {worlds.DYNA: 14, worlds.BLOCKING: 10, worlds.SHORTCUT: 16}  # figure 8.2; counted on 8.4 and 8.5
    for name, steps in book.items():
        env = made(name)
        world = env.unwrapped
        assert networkx.shortest_path_length(graph(world.P), world.start, "end") == steps
        assert exact.fewest_steps(finite.from_gymnasium(env))[world.start] == steps


def test_values_without_luck_are_powers_of_the_discount():
    """v*(s) = gamma^(d - 1) at d steps from the only reward, by networkx."""
    env = made(worlds.DYNA)
    mdp = finite.from_gymnasium(env)
    v_S, _ = solve.optimal(mdp, GAMMA)
    lengths = networkx.single_target_shortest_path_length(graph(env.unwrapped.P), "end")
    for state in exact.acting_states(mdp, worlds.starts(env)):
        assert v_S[state] == pytest.approx(GAMMA ** (dict(lengths)[state] - 1), rel=1e-12)


@pytest.mark.parametrize("name", [worlds.DYNA, worlds.SLIPPERY, "FrozenLake-v1", "CliffWalking-v1"])
def test_quantecon_has_the_same_values(name):
    table = made(name).unwrapped.P
    S, A = len(table), len(table[0])
    rewards, transitions = np.zeros((S + 1, A)), np.zeros((S + 1, A, S + 1))  # the last state is the end
    transitions[S, :, S] = 1
    for s, a in itertools.product(range(S), range(A)):
        for chance, after, reward, ended in table[s][a]:
            transitions[s, a, S if ended else after] += chance
            rewards[s, a] += chance * reward
    expected = DiscreteDP(rewards, transitions, GAMMA).solve(method="policy_iteration").v
    env = made(name)
    mdp = finite.from_gymnasium(env)
    acting = exact.acting_states(mdp, worlds.starts(env))
    np.testing.assert_allclose(solve.optimal(mdp, GAMMA)[0][acting], expected[acting], rtol=1e-10)


def test_a_world_changes_after_as_many_steps_whatever_the_episodes():
    env = made(worlds.SHORTCUT, change_after=7)
    env.reset(seed=0)
    maps = []
    for step in range(10):
        maps.append(env.unwrapped.cells)
        env.step(0)
        if step == 3:
            env.reset()
    assert maps == [worlds.OPEN_LEFT] * 8 + [worlds.OPEN_BOTH] * 2  # seen before the step that is made on it


@pytest.mark.parametrize(
    "name, why",
    [
        ("NoSuchWorld-v0", "no environment of gymnasium's registry"),
        ("no_such_package:World-v0", "no environment of gymnasium's registry"),
        ("FrozenLake-v99", "no environment of gymnasium's registry"),
        ("Blackjack-v1", "other observations than numbers"),
        ("CartPole-v1", "other observations than numbers"),
        ("LunarLander-v3", "not installed"),
        ("WithoutTable-v0", "no table P"),
        ("Ring-v0", "no episode ends"),
    ],
)
def test_other_worlds_are_refused_with_a_reason(name, why):
    class WithoutTable(gymnasium.Env):
        observation_space = action_space = gymnasium.spaces.Discrete(2)

    class Ring(WithoutTable):
        P = {s: {a: [(1.0, 1 - s, 1.0, False)] for a in range(2)} for s in range(2)}

    gymnasium.register("WithoutTable-v0", entry_point=WithoutTable)
    gymnasium.register("Ring-v0", entry_point=Ring)
    try:
        with pytest.raises(ParamsError) as raised:
            worlds.make(name)
    finally:
        del gymnasium.registry["WithoutTable-v0"], gymnasium.registry["Ring-v0"]
    text = str(raised.value)
    assert why in text and name in text and "allowed" in text and "what to do" in text
