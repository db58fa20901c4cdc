"""A finite MDP from arrays, gridworlds, gymnasium and YAML: what it says, and what is refused with which words."""

import dataclasses

import numpy as np
import pytest
from scipy.sparse import issparse

from postproof.core.errors import DataError
from postproof.mdp import finite, identities, models
from postproof.mdp.finite import FiniteMDP

ROBOT = "data/published/mdp/recycling_robot.yaml"


@pytest.fixture
def rng():
    return np.random.Generator(np.random.SFC64(0))


@pytest.fixture
def two_states() -> FiniteMDP:
    """From `on` a coin leads on or to the end; the end pays."""
    return FiniteMDP(("on", "end"), ("go",), [0, 0], [0, 0], [0, 1], [0.0, 2.0], [0.5, 0.5], [False, True])


def test_transitions_and_rewards_are_those_of_a_plain_loop(rng):
    for _ in range(20):
        mdp = models.random_mdp(rng, 7, 3, 4)
        p_SAS, r_SA = identities.by_loop(mdp)
        np.testing.assert_allclose(mdp.transitions_SAS(), p_SAS, atol=1e-15)
        np.testing.assert_allclose(mdp.expected_rewards_SA(), r_SA, atol=1e-15)
        r_SAS = mdp.expected_rewards_SAS()
        np.testing.assert_allclose((p_SAS * np.nan_to_num(r_SAS)).sum(axis=2), r_SA, atol=1e-14)
        assert (np.isnan(r_SAS) == (p_SAS == 0)).all(), "0 / 0 exactly where s' cannot follow"


def test_rows_with_one_outcome_add_up(two_states):
    twice = dataclasses.replace(two_states, state=[0, 0, 0], action=[0, 0, 0], next_state=[0, 1, 1],
                                reward=[0.0, 2.0, 2.0], probability=[0.5, 0.25, 0.25])  # fmt: skip
    np.testing.assert_array_equal(twice.transitions_SAS(), two_states.transitions_SAS())
    columns = finite.merged(twice.state, twice.action, twice.next_state, twice.reward, twice.probability)
    np.testing.assert_array_equal(columns[4], two_states.probability)


@pytest.mark.parametrize(
    "change, message, named",
    [
        ({"probability": [0.5, 0.4]}, "do not sum to 1", {"state": "on", "action": "go", "value": "0.9"}),
        ({"probability": [1.5, -0.5]}, "not a probability", {"state": "on", "action": "go", "value": 1.5}),
        ({"probability": [np.nan, 0.5]}, "not a probability", {"state": "on", "action": "go"}),
        ({"reward": [0.0, np.nan]}, "not a finite number", {"state": "on", "action": "go"}),
        ({"reward": [0.0, np.inf]}, "not a finite number", {"state": "on", "action": "go", "value": np.inf}),
        ({"state": [0, 1], "probability": [1, 1]}, "terminal state has an outcome", {"state": "end", "action": "go"}),
        ({"terminal": [False, False]}, "state has no action", {"state": "end"}),
        ({"next_state": [0, 2]}, "unknown next state", {"value": 2, "allowed": "0 to 1"}),
        ({"action": [0, -1]}, "unknown action", {"value": -1}),
        ({"reward": [0.0]}, "not of one length", {"lengths": [1, 2]}),
        ({"terminal": [True]}, "not of one length", {"flags": 1}),
        ({"states": ("on", "on")}, "a state stands twice", {"state": "on"}),
        ({"actions": ()}, "there is no action", {}),
    ],
)
def test_no_mdp(two_states, change, message, named):
    with pytest.raises(DataError, match=message) as caught:
        dataclasses.replace(two_states, **change)
    assert named.items() <= caught.value.context.items()


def test_a_table_too_large_for_an_array_stays_sparse():
    mdp = finite.gridworld(80, 80)
    assert issparse(mdp.transitions_XS)
    with pytest.raises(DataError, match="too large"):
        mdp.transitions_SAS()


# --- Gridworlds ------------------------------------------------------------------------------------------------------


def test_moves_bump_slip_jump_and_end():
    mdp = finite.gridworld(2, 3, jumps={(0, 0): ((1, 0), 7.0)}, goals={(1, 2): 5.0}, walls=[(0, 2)], step_reward=-0.1,
                           slip=0.2)  # fmt: skip
    assert mdp.states == ("0,0", "0,1", "1,0", "1,1", "1,2")
    assert list(mdp.terminal) == [False] * 4 + [True]
    p_SAS, r_SAS = mdp.transitions_SAS(), mdp.expected_rewards_SAS()
    north, south, east, west = range(4)
    assert (p_SAS[0, :, 2] == 1).all() and (r_SAS[0, :, 2] == 7).all()
    np.testing.assert_allclose(p_SAS[3, east, [4, 1, 3]], [0.8, 0.1, 0.1])  # off the grid stays
    np.testing.assert_allclose(r_SAS[3, east, [4, 1, 3]], [5, -0.1, -1])
    np.testing.assert_allclose(p_SAS[1, east, [1, 3]], [0.9, 0.1])  # a wall, and the edge above it
    np.testing.assert_allclose(p_SAS[3, west, 2], 0.8)
    np.testing.assert_allclose(p_SAS[2, south, 2], 0.9)
    np.testing.assert_allclose(p_SAS[3, north, 1], 0.8)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"goals": {(2, 0): 1.0}}, "off the grid"),
        ({"jumps": {(0, 0): ((0, 3), 1.0)}}, "off the grid"),
        ({"walls": [(0, 0)], "goals": {(0, 0): 1.0}}, "in a wall"),
        ({"jumps": {(0, 0): ((1, 1), 1.0)}, "goals": {(0, 0): 1.0}}, "a jump and a goal"),
        ({"slip": 1.5}, "slip is no probability"),
    ],
)
def test_no_gridworld(arguments, message):
    with pytest.raises(DataError, match=message):
        finite.gridworld(2, 3, **arguments)


# --- gymnasium -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, states, ends", [("FrozenLake-v1", 16, 5), ("CliffWalking-v1", 48, 1)])
def test_states_that_end_an_episode_are_terminal(name, states, ends):
    mdp = finite.from_gymnasium(name)
    assert (len(mdp.states), mdp.terminal.sum()) == (states, ends)


def test_a_state_that_ends_an_episode_only_sometimes_is_no_terminal_one():
    """Taxi's table goes on from where the passenger got out, and other states lead there too."""
    mdp = finite.from_gymnasium("Taxi-v4")
    assert len(mdp.states) == 501 and mdp.states[500] == "end" and list(np.flatnonzero(mdp.terminal)) == [500]


@pytest.mark.parametrize("name", ["FrozenLake-v1", "CliffWalking-v1", "Taxi-v4"])
def test_dynamics_are_those_of_the_table(name):
    """Outcome by outcome, with what follows the end of an episode cut off."""
    import gymnasium

    environment = gymnasium.make(name)
    mdp = finite.from_gymnasium(environment)
    rewards_SA = mdp.expected_rewards_SA()
    for s, of_state in environment.unwrapped.P.items():
        for a, outcomes in of_state.items():
            if not mdp.terminal[s]:
                assert rewards_SA[s, a] == pytest.approx(sum(p * r for p, _, r, _ in outcomes))
                ending = mdp.transitions_XS[[s * len(mdp.actions) + a]] @ mdp.terminal.astype(float)
                assert ending[0] == pytest.approx(sum(p for p, _, _, ends in outcomes if ends))
    environment.close()


@pytest.mark.parametrize(
    "name, message",
    [
        ("Blackjack-v1", "no table of its dynamics"),
        ("Nowhere-v0", "not installed"),
        ("ALE/Pong-v5", "not installed"),  # a namespace of a package that is not there
        ("no name", "not installed"),
    ],
)
def test_an_environment_without_a_table_or_not_installed(name, message):
    with pytest.raises(DataError, match=message) as caught:
        finite.from_gymnasium(name)
    assert caught.value.context["environment"] == name and caught.value.remedy


def test_gymnasium_itself_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gymnasium", None)
    with pytest.raises(DataError, match="not installed"):
        finite.from_gymnasium("FrozenLake-v1")


# --- YAML ------------------------------------------------------------------------------------------------------------


def test_the_robot_lacks_an_action():
    mdp = finite.from_yaml(ROBOT)
    assert mdp.states == ("high", "low") and mdp.actions == ("search", "wait", "recharge")
    assert mdp.available_SA.tolist() == [[True, True, False], [True, True, True]]
    assert mdp.expected_rewards_SA()[1, 0] == pytest.approx(0.6 * 2 - 0.4 * 3)


GOOD = "terminal: [b]\noutcomes:\n  a:\n    go:\n      - {to: b, reward: 1, probability: 1}\n"


@pytest.mark.parametrize(
    "old, new, message, named",
    [
        ("probability: 1}", "probability: 0.9}", "do not sum to 1", {"state": "a", "action": "go"}),
        ("reward: 1", "reward: .nan", "not a finite number", {"state": "a", "action": "go"}),
        ("reward: 1", "reward: much", "reward is no number", {"state": "a", "action": "go", "value": "much"}),
        ("to: b", "to: c", "unknown state", {"state": "a", "action": "go", "value": "c"}),
        ("terminal: [b]", "terminal: [b, a]", "terminal state has an outcome", {"state": "a"}),
        ("terminal: [b]", "terminal: b", "no list", {"value": "b"}),
        ("terminal: [b]", "ends: [b]", "other keys", {}),
        (", probability: 1", "", "not an outcome", {"state": "a", "action": "go"}),
        ("go:\n      - {to: b, reward: 1, probability: 1}", "go: 3", "no list", {"state": "a", "action": "go"}),
        ("outcomes:", "outcomes: [", "cannot read YAML", {}),
        ("  a:\n", "  a:\n    go: []\n", "cannot read YAML", {}),  # a key that stands twice
    ],
)
def test_no_table_in_yaml(tmp_path, old, new, message, named):
    path = tmp_path / "mdp.yaml"
    path.write_text(GOOD)
    assert finite.from_yaml(path).states == ("a", "b")
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(DataError, match=message) as caught:
        finite.from_yaml(path)
    assert named.items() <= caught.value.context.items() and caught.value.context["file"] == path


def test_a_million_states_in_yaml_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "million.yaml"
    lines = (f"  {s}:\n    go:\n      - {{to: {s + 1}, reward: 0, probability: 1}}\n" for s in range(1_000_000))
    path.write_text("terminal: [1000000]\noutcomes:\n" + "".join(lines))
    with pytest.raises(DataError, match="too large") as caught:
        finite.from_yaml(path)
    assert caught.value.context["allowed"] == "at most 1,000,000 bytes"


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="cannot read YAML"):
        finite.from_yaml(tmp_path / "nothing.yaml")


def test_as_many_states_as_the_limit_lets_in_are_read(tmp_path):
    """A table of 250 kB; reading takes time with the square of the number of states."""
    path = tmp_path / "large.yaml"
    lines = (f"  {s}:\n    go:\n      - {{to: {s + 1}, reward: 0, probability: 1}}\n" for s in range(5_000))
    path.write_text("terminal: [5000]\noutcomes:\n" + "".join(lines))
    assert path.stat().st_size < finite.YAML_LIMIT
    assert len(finite.from_yaml(path).states) == 5_001
