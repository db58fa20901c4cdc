"""The tables of rl_intro: identities that hold whatever the settings, and what they rest on against other means."""

import itertools

import networkx
import numpy as np
import pytest
from rl_runs import LEARNING, SECTIONS, run

from postproof.core import settings, tables
from postproof.mdp import finite, solve
from postproof.mdp.finite import FiniteMDP
from postproof.rl_intro import changing_world, exact, three_ways, worlds
from postproof.rl_intro.settings import ChangingWorld

GAMMA = 0.9


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    return {name: path for job in SECTIONS for name, path in run(job, folder).items()}


@pytest.fixture(scope="module")
def table(files):
    return {name: tables.read(path, f"rl_intro/{name}") for name, path in files.items()}


# --- what must be true of the tables ---------------------------------------------------------------------------------


@pytest.mark.parametrize("job", ["learning_curves", "three_ways"])
def test_the_same_settings_give_the_same_bytes(job, files, tmp_path):
    for name, path in run(job, tmp_path).items():
        assert path.read_bytes() == files[name].read_bytes(), name


def test_no_policy_is_worth_more_than_the_best(table):
    best = table["world_facts"]["best_return"].iloc[0] + 1e-9
    for name, column in (("learned_policies", "greedy_return"), ("what_is_needed", "greedy_return"),
                         ("three_ways", "return")):  # fmt: skip
        assert table[name][column].between(0, best).all(), name
    facts = table["world_facts"].iloc[0]
    assert facts["random_return"] < facts["exploring_return"] < facts["best_return"]
    assert facts["fewest_steps"] < facts["exploring_steps"] < facts["random_steps"]


def test_every_label_gives_the_best_policy_and_no_way_is_told_what_it_should_not_be(table):
    ways = table["three_ways"]
    told_all = ways[ways["labels"] == 46]
    assert (told_all["right_states"] == 1).all() and (told_all["right_steps"] == 1).all()
    assert (ways.loc[ways["way"] == "supervised", "rewards"] == 0).all()
    assert (ways.loc[ways["way"] != "supervised", "labels"] == 0).all()
    unsupervised = ways[ways["way"] == "unsupervised"]
    assert (unsupervised["rewards"] == 0).all() and unsupervised["return"].nunique() == 1


def test_memory_gains_nothing_in_a_finite_mdp(table):
    assert table["world_facts"]["memory_gain"].iloc[0] < 1e-12


def test_errors_fall_towards_an_agents_own_limit(table):
    errors = table["limits"].groupby(["agent", "step"])[["to_greedy", "to_exploring"]].mean()
    for agent, own in (("q_learning", "to_greedy"), ("sarsa", "to_exploring")):
        assert errors.loc[agent, own].iloc[-1] < 0.8 * errors.loc[agent, own].iloc[0], agent


def test_rewards_count_episodes(table):
    curves = table["learning_curves"]
    assert (curves.loc[curves["steps"] < LEARNING["longest_episode"], "reward"] == 1).all()
    changing = table["changing_world"].groupby(["world", "agent", "seed"])["reward"]
    assert (changing.first() == 0).all() and changing.apply(lambda run: run.is_monotonic_increasing).all()


@pytest.mark.parametrize("length, found, adapted", [(16, 0, 0), (10, 1, 1)])
def test_an_agent_has_adapted_when_its_late_episodes_are_near_the_new_way(length, found, adapted):
    """Episodes of 16 steps before the shortcut opens, then of `length`; the last takes all that is left."""
    wanted = settings.build(ChangingWorld, LEARNING | SECTIONS["changing_world"])
    rewards = [float(step % 16 == 0) for step in range(1, 401)] + [float(step % length == 0) for step in range(1, 501)]
    row = changing_world.adaptation("shortcut", "dyna_q", 0, rewards, wanted)
    assert (row["shortest_before"], row["shortest_after"]) == (16, 10)
    assert (row["found"], row["adapted"]) == (found, adapted)
    late = rewards[:-100] + [0.0] * 100  # no goal in the last tenth
    assert changing_world.adaptation("shortcut", "dyna_q", 0, late, wanted)["adapted"] == 0


@pytest.mark.parametrize("world", ["FrozenLake-v1", "CliffWalking-v1"])
@pytest.mark.parametrize("job", ["world_facts", "learning_curves", "what_is_needed", "three_ways"])
def test_another_world_can_be_put_in(job, world, tmp_path):
    for name, path in run(job, tmp_path, world=world, seeds=[4], longest_episode=300).items():
        table = tables.read(path, f"rl_intro/{name}")
        assert len(table)
        if name == "agents":
            assert table["printed_after"].isna().all()  # the book has figures of its own maze only


# --- what they rest on -----------------------------------------------------------------------------------------------


def random_mdp(rng, S: int = 4, A: int = 2) -> FiniteMDP:
    """Every state may follow every pair; the last one is the end."""
    p_SAS = rng.dirichlet(np.ones(S), size=(S - 1, A))
    rows = np.array([(s, a, t) for s, a, t in itertools.product(range(S - 1), range(A), range(S))])
    terminal = np.arange(S) == S - 1
    return FiniteMDP(tuple("abcdefgh"[:S]), tuple("xyz"[:A]), *rows.T, rng.normal(size=len(rows)),
                     p_SAS[tuple(rows.T)], terminal)  # fmt: skip


def test_the_best_exploring_policy_is_the_best_of_all_that_explore_as_much():
    rng = np.random.default_rng(0)
    for _ in range(60):
        mdp, epsilon = random_mdp(rng), rng.uniform(0.05, 0.9)
        values = [solve.evaluate(mdp, (1 - epsilon) * solve.only(np.array([*actions, 0]), mdp) + epsilon / 2, GAMMA)
                  for actions in itertools.product(range(2), repeat=3)]  # fmt: skip
        q_SA = exact.best_exploring(mdp, epsilon, GAMMA)
        v_S = (1 - epsilon) * q_SA.max(axis=1) + epsilon * q_SA.mean(axis=1)
        np.testing.assert_allclose(v_S[:3], np.max(values, axis=0)[:3], rtol=1e-9)


def test_an_agent_with_memory_has_the_same_values():
    rng = np.random.default_rng(1)
    for _ in range(100):
        mdp = random_mdp(rng)
        v_S, _ = solve.optimal(mdp, GAMMA)
        with_memory_SA = solve.optimal(exact.with_memory(mdp), GAMMA)[0].reshape(-1, 2)
        np.testing.assert_allclose(with_memory_SA, np.repeat(v_S[:, None], 2, axis=1), rtol=1e-9, atol=1e-12)


def test_visits_are_the_sum_over_time():
    rng = np.random.default_rng(2)
    for _ in range(50):
        mdp = random_mdp(rng)
        policy_SA = rng.dirichlet(np.ones(2), size=4)
        transitions_SS = np.einsum("sa,sat->st", policy_SA, mdp.transitions_SAS())
        share_S, now_S = np.zeros(4), np.array([1.0, 0, 0, 0])
        for t in range(400):
            share_S, now_S = share_S + GAMMA**t * now_S * ~mdp.terminal, now_S @ transitions_SS
        np.testing.assert_allclose(exact.visits(mdp, policy_SA, GAMMA, [0]), share_S / share_S.sum(), rtol=1e-9)


def test_a_random_walk_takes_as_long_as_the_gambler():
    """Between two ends n apart, from i: i (n - i) steps."""
    n = 9
    rows = [(i, a, i + (1 if a else -1), 0.0, 1.0) for i in range(1, n) for a in range(2)]
    mdp = FiniteMDP(tuple(map(str, range(n + 1))), ("down", "up"), *np.array(rows).T, np.isin(np.arange(n + 1), [0, n]))
    steps_S = exact.expected_steps(mdp, solve.uniform(mdp))
    np.testing.assert_allclose(steps_S, [i * (n - i) for i in range(n + 1)], rtol=1e-12, atol=1e-12)


def test_a_random_episode_of_the_maze_takes_as_long_as_a_plain_system_says(table):
    table_P = worlds.make(worlds.DYNA).unwrapped.P
    matrix, one = np.eye(54), np.zeros(54)
    for s, actions in table_P.items():
        one[s] = 0 if actions[0][0][3] and actions[0][0][1] == s else 1  # walls and the goal
        for [(chance, after, _, ended)] in actions.values():
            matrix[s, after] -= 0 if ended else chance / 4
    assert table["world_facts"]["random_steps"].iloc[0] == pytest.approx(np.linalg.solve(matrix, one)[18], rel=1e-8)


def test_two_rooms_are_two_groups():
    rooms = networkx.disjoint_union(networkx.complete_graph(6), networkx.complete_graph(6))
    rooms.add_edge(0, 6)
    weight = networkx.to_numpy_array(rooms)
    root = np.sqrt(weight.sum(axis=1))
    modes = np.linalg.eigh(weight / root[:, None] / root)[1][:, -2:] / root[:, None]
    group = three_ways.k_means(modes, 2)
    assert len(set(group[:6])) == len(set(group[6:])) == 1 and group[0] != group[6]


def test_acting_states_are_those_that_networkx_reaches():
    env = worlds.make(worlds.DYNA)
    mdp = finite.from_gymnasium(env)
    edges = networkx.DiGraph(zip(mdp.state.tolist(), mdp.next_state.tolist()))
    reached = networkx.descendants(edges, 18) | {18}
    assert exact.acting_states(mdp, [18]).tolist() == sorted(s for s in reached if not mdp.terminal[s])
