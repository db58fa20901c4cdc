"""Values and policies against the book, quantecon, enumeration and one another."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest

from postproof.core.errors import DataError
from postproof.mdp import finite, models, solve
from postproof.mdp.finite import FiniteMDP

BOOK = pd.read_csv("data/published/mdp/gridworld.csv")
GAMMA = 0.9


@pytest.fixture(scope="module")
def gridworld() -> FiniteMDP:
    return finite.gridworld(5, 5, jumps={(0, 1): ((4, 1), 10.0), (0, 3): ((2, 3), 5.0)})


@pytest.fixture
def rng():
    return np.random.Generator(np.random.SFC64(1))


def quantecon_optimal(mdp: FiniteMDP, gamma: float) -> np.ndarray:
    """v* by quantecon's policy iteration; a terminal state leads to itself for nothing."""
    from quantecon.markov import DiscreteDP

    pairs = np.argwhere(mdp.available_SA | (mdp.terminal[:, None] & (np.arange(len(mdp.actions)) == 0)))
    p_SAS = mdp.transitions_SAS()
    p_SAS[mdp.terminal, 0, mdp.terminal] = 1
    r_SA = mdp.expected_rewards_SA()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        process = DiscreteDP(r_SA[tuple(pairs.T)], p_SAS[tuple(pairs.T)], gamma, *pairs.T)
        return process.solve(method="policy_iteration").v


# --- The book --------------------------------------------------------------------------------------------------------


def test_figures_3_2_and_3_5_to_the_printed_digit(gridworld):
    printed = {figure: of["value"].to_numpy() for figure, of in BOOK.groupby("figure")}
    equiprobable_S = solve.evaluate(gridworld, solve.uniform(gridworld), GAMMA)
    assert (np.abs(equiprobable_S - printed[3.2]) <= 0.05).all()
    optimal_S, _ = solve.optimal(gridworld, GAMMA)
    assert (np.abs(optimal_S - printed[3.5]) <= 0.05).all()


def test_the_best_cell_in_closed_form(gridworld):
    """From A to A' and back takes five steps: v*(A) = 10 / (1 - gamma^5)."""
    assert solve.optimal(gridworld, GAMMA)[0][1] == pytest.approx(10 / (1 - GAMMA**5), abs=1e-12)


# --- Five hundred random MDPs ----------------------------------------------------------------------------------------


def test_sweeps_linear_solve_and_equations_agree(rng):
    for case in range(500):
        states, actions = int(rng.integers(1, 12)), int(rng.integers(1, 5))
        mdp = models.random_mdp(rng, states, actions, int(rng.integers(1, states + 1)))
        gamma = float(rng.uniform(0, 0.95))
        policy_SA = rng.dirichlet(np.ones(actions), size=states)
        v_S = solve.evaluate(mdp, policy_SA, gamma)
        assert np.abs(v_S - solve.evaluate_iteratively(mdp, policy_SA, gamma)).max() < 1e-10, case
        p_SAS, r_SA = mdp.transitions_SAS(), mdp.expected_rewards_SA()
        by_equation_S = (policy_SA * (r_SA + gamma * p_SAS @ v_S)).sum(axis=1)
        assert np.abs(v_S - by_equation_S).max() < 1e-10, case
        optimal_S, q_SA = solve.optimal(mdp, gamma)
        assert np.abs(optimal_S - solve.value_iteration(mdp, gamma)).max() < 1e-10, case
        assert solve.bellman_residual(mdp, optimal_S, gamma) < 1e-10, case
        assert np.abs(optimal_S - q_SA.max(axis=1)).max() < 1e-10, case
        assert (optimal_S >= v_S - 1e-10).all(), case


def test_no_deterministic_policy_is_better(rng):
    for _ in range(25):
        mdp = models.random_mdp(rng, 4, 3, 2)
        values = [solve.evaluate(mdp, solve.only(np.array(actions_S), mdp), GAMMA)
                  for actions_S in itertools.product(range(3), repeat=4)]  # fmt: skip
        optimal_S, q_SA = solve.optimal(mdp, GAMMA)
        np.testing.assert_allclose(optimal_S, np.max(values, axis=0), atol=1e-10)
        best = [actions_S for actions_S, v_S in zip(itertools.product(range(3), repeat=4), values)
                if np.abs(v_S - optimal_S).max() < 1e-10]  # fmt: skip
        greedy_SA = solve.greedy(q_SA)
        assert all(greedy_SA[np.arange(4), actions_S].all() for actions_S in best)
        assert len(best) == greedy_SA.sum(axis=1).prod(), "every combination of greedy actions is optimal"


def test_quantecon_agrees(gridworld, rng):
    mdps = [gridworld, finite.from_yaml("data/published/mdp/recycling_robot.yaml"),
            *(finite.from_gymnasium(name) for name in ("FrozenLake-v1", "CliffWalking-v1", "Taxi-v4")),
            *(models.random_mdp(rng, 20, 4, 5) for _ in range(20))]  # fmt: skip
    for mdp in mdps:
        np.testing.assert_allclose(solve.optimal(mdp, GAMMA)[0], quantecon_optimal(mdp, GAMMA), atol=1e-10)


# --- gamma = 1 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, start, value",
    [
        ("CliffWalking-v1", 36, -13),  # along the edge of the cliff, example 6.6 of the book
        ("FrozenLake-v1", 0, 14 / 17),  # the probability of reaching the goal: no step limit
    ],
)
def test_without_a_discount_where_episodes_end(name, start, value):
    mdp = finite.from_gymnasium(name)
    assert solve.optimal(mdp, 1)[0][start] == pytest.approx(value, abs=1e-9)
    assert solve.value_iteration(mdp, 1)[start] == pytest.approx(value, abs=1e-7)


def test_a_walk_whose_end_is_known():
    """From the k-th of n cells a corridor is left on the right with probability k / (n + 1), after k (n + 1 - k)."""
    n = 9
    mdp = finite.gridworld(1, n + 2, goals={(0, 0): 0.0, (0, n + 1): 1.0}, bump_reward=0)
    policy_SA = np.tile([0, 0, 0.5, 0.5], (n + 2, 1))
    k = np.arange(1, n + 1)
    np.testing.assert_allclose(solve.evaluate(mdp, policy_SA, 1)[1:-1], k / (n + 1), atol=1e-12)
    steps = finite.gridworld(1, n + 2, goals={(0, 0): 1.0, (0, n + 1): 1.0}, bump_reward=0, step_reward=1)
    np.testing.assert_allclose(solve.evaluate(steps, policy_SA, 1)[1:-1], k * (n + 1 - k), atol=1e-10)


def test_one_discount_on_a_continuing_task_is_refused(gridworld):
    for solved in (lambda: solve.evaluate(gridworld, solve.uniform(gridworld), 1), lambda: solve.optimal(gridworld, 1),
                   lambda: solve.value_iteration(gridworld, 1),
                   lambda: solve.evaluate_iteratively(gridworld, solve.uniform(gridworld), 1)):  # fmt: skip
        with pytest.raises(DataError, match="gamma = 1") as caught:
            solved()
        assert caught.value.context["state"] == "0,0" and "gamma below 1" in caught.value.context["allowed"]


def test_a_policy_that_never_ends_is_refused_where_another_ends():
    mdp = finite.gridworld(1, 3, goals={(0, 2): 1.0})
    west = np.tile([0, 0, 0, 1.0], (3, 1))
    with pytest.raises(DataError, match="does not end from every state") as caught:
        solve.evaluate(mdp, west, 1)
    assert caught.value.context["state"] == "0,0" and caught.value.context["states"] == 2
    assert solve.evaluate(mdp, west, 0.9)[0] == pytest.approx(-1 / (1 - 0.9))
    assert list(solve.optimal(mdp, 1)[0]) == [1, 1, 0]


def test_a_cycle_that_pays_has_no_limit():
    mdp = FiniteMDP(("a", "b"), ("stay", "leave"), [0, 0], [0, 1], [0, 1], [1.0, 0.0], [1, 1], [False, True])
    with pytest.raises(DataError, match="never ending pays"):
        solve.optimal(mdp, 1)
    assert solve.optimal(mdp, 0.5)[0][0] == pytest.approx(2)


def test_standing_still_for_nothing_is_not_taken_for_an_end():
    """A cycle of reward 0 ties with the way to the goal; a policy must not stay in it."""
    mdp = FiniteMDP(("a", "b", "end"), ("stay", "go"), [0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 2], [0, 0, 0, 3.0],
                    [1, 1, 1, 1], [False, False, True])  # fmt: skip
    actions_S, v_S = solve.policy_iteration(mdp, 1)
    assert list(v_S) == [3, 3, 0] and list(actions_S[:2]) == [1, 1]


# --- Edges -----------------------------------------------------------------------------------------------------------


def test_no_look_ahead_at_gamma_zero(gridworld):
    assert list(solve.optimal(gridworld, 0)[0][:5]) == [0, 10, 0, 5, 0]


def test_a_missing_action_is_never_best():
    robot = finite.from_yaml("data/published/mdp/recycling_robot.yaml")
    v_S, q_SA = solve.optimal(robot, GAMMA)
    assert q_SA[0, 2] == -np.inf and not solve.greedy(q_SA)[0, 2]


@pytest.mark.parametrize("gamma", [-0.1, 1.1, np.nan])
def test_no_discount_rate(gridworld, gamma):
    with pytest.raises(DataError, match="discount rate is out of range"):
        solve.optimal(gridworld, gamma)


@pytest.mark.parametrize(
    "policy, message",
    [
        ([[1, 0, 0]], "another shape"),
        ([[0.5, 0.5, 0], [0.5, 0.4, 0]], "do not sum to 1"),
        ([[0, 0, 1.0], [1, 0, 0]], "no such probability"),  # high has no recharge
        ([[1.5, -0.5, 0], [1, 0, 0]], "no such probability"),
        ([[np.nan, 0, 0], [1, 0, 0]], "no such probability"),
    ],
)
def test_no_policy(policy, message):
    robot = finite.from_yaml("data/published/mdp/recycling_robot.yaml")
    with pytest.raises(DataError, match=message):
        solve.evaluate(robot, policy, GAMMA)


def test_no_tolerance(gridworld):
    with pytest.raises(DataError, match="tolerance"):
        solve.value_iteration(gridworld, GAMMA, 0)


def test_the_compiled_sweep_gives_the_same_numbers(monkeypatch, rng):
    robot = finite.from_yaml("data/published/mdp/recycling_robot.yaml")  # lacks an action
    lake = finite.from_gymnasium("FrozenLake-v1")  # has ends
    for mdp in (robot, lake, models.random_mdp(rng, 30, 3, 4)):
        values = []
        for pairs in (10**9, 1):
            monkeypatch.setattr(solve, "COMPILED_PAIRS", pairs)
            values.append(solve.value_iteration(mdp, GAMMA))
        np.testing.assert_allclose(*values, rtol=0, atol=1e-13)


def test_many_states_stay_sparse():
    """10^5 cells, a goal in the corner: v* is gamma^(distance - 1), whatever the size."""
    side = 316
    mdp = finite.gridworld(side, side, goals={(side - 1, side - 1): 1.0}, bump_reward=0)
    v_S = solve.value_iteration(mdp, 0.5, 1e-9)
    assert v_S[-2] == pytest.approx(1) and v_S[-12] == pytest.approx(0.5**10)
    assert v_S[0] == pytest.approx(0, abs=1e-9)
