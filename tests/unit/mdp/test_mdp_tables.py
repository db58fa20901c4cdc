"""The post's tables: what must be true of them whatever the settings, and closed forms where there are some."""

import itertools

import numpy as np
import pandas as pd
import pytest

from postproof.core.errors import DataError, ParamsError
from postproof.mdp import (
    acting_on_v,
    backup_diagram,
    discounting,
    finite,
    gridworld,
    identities,
    models,
    navigation,
    reward_design,
    solve,
    sparse_reward,
)
from postproof.mdp.figures.backup_diagram import backs_up
from postproof.mdp.settings import (
    ActingOnV,
    BackupDiagram,
    Design,
    Discounting,
    Enumerated,
    Gridworld,
    Identities,
    Jump,
    Navigation,
    Race,
    Random,
    RewardDesign,
    SparseReward,
)

ROBOT = finite.from_yaml("data/published/mdp/recycling_robot.yaml")
RACE = Race(moves_to_mate=3, opponent_moves=2, opponent_success=0.5, captures=2)
DESIGNS = {"sparse": Design(mate=1, mated=-1, capture=0), "misleading": Design(mate=1, mated=-1, capture=1)}
DESIGN = RewardDesign(gamma_step=0.25, designs=DESIGNS, bonuses=(0.01, 0.1, 1), tolerance=1e-6, acted_on="sparse")
BOOK = Gridworld(5, 5, {"A": Jump((0, 1), (4, 1), 10), "B": Jump((0, 3), (2, 3), 5)}, -1, 0.9)


# --- Backup diagrams -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state, action", [("low", "search"), ("low", "recharge"), ("high", "search")])
@pytest.mark.parametrize("gamma", [0, 0.5, 0.95])
def test_values_are_backed_up(state, action, gamma):
    table = backup_diagram.diagrams(ROBOT, BackupDiagram(state=state, action=action, gamma=gamma))
    for diagram in ("v", "q", "v_star", "q_star"):
        assert backs_up(table, diagram)
        weights = table[(table["diagram"] == diagram) & table["weight"].notna()].groupby("parent")["weight"].sum()
        assert np.allclose(weights, 1)


def test_a_value_that_is_not_backed_up_is_seen():
    table = backup_diagram.diagrams(ROBOT, BackupDiagram(state="low", action="search", gamma=0.9))
    table.loc[table.index[0], "value"] += 0.1
    assert not backs_up(table, "v")


@pytest.mark.parametrize(
    "state, action, allowed", [("on", "search", "high, low"), ("high", "recharge", "search, wait")]
)
def test_no_such_state_or_action(state, action, allowed):
    with pytest.raises(ParamsError, match="no such name") as caught:
        backup_diagram.diagrams(ROBOT, BackupDiagram(state=state, action=action, gamma=0.9))
    assert caught.value.context["allowed"] == allowed


# --- Gridworld -------------------------------------------------------------------------------------------------------


def test_the_book_stands_beside_its_own_cells_only():
    printed = pd.read_csv("data/published/mdp/gridworld.csv")
    values, moves = gridworld.solved(BOOK, printed)
    assert (values["value"] - values["printed"]).abs().max() <= 0.05
    assert moves.groupby(["row", "column"])["is_best"].sum().to_numpy().reshape(5, 5).tolist() == [
        [1, 4, 1, 4, 1], [2, 1, 2, 1, 1], [2, 1, 2, 2, 2], [2, 1, 2, 2, 2], [2, 1, 2, 2, 2]
    ]  # fmt: skip
    larger, _ = gridworld.solved(Gridworld(6, 5, BOOK.jumps, -1, 0.9), printed)
    assert larger["printed"].isna().sum() == 2 * 5 and len(larger) == 60


# --- Discounting -----------------------------------------------------------------------------------------------------


def test_returns_and_weights():
    settings = Discounting(gammas=(0, 0.5, 0.9, 1), steps=60, seed=1, rewards=50)
    rates, steps = discounting.rates(settings), discounting.steps(settings)
    assert rates["recursion_error"].max() < 1e-12 and rates["absorbing_error"].max() < 1e-12
    ends = steps.groupby("gamma")["return_so_far"].last()
    assert ends[0.5] == pytest.approx(2) and ends[1] == 61 and ends[0] == 1
    assert rates["horizon"].isna().tolist() == [False, False, False, True]
    np.testing.assert_allclose(0.9 ** rates["steps_to_half"][2], 0.5)
    np.testing.assert_array_equal(discounting.returns(np.array([1.0, 2, 3]), 0.5), [2.75, 3.5, 3])


# --- Acting on v* ----------------------------------------------------------------------------------------------------


def test_the_value_of_the_next_state_alone():
    """Two ways to the end: 5 at once, or 1 and then 2; the state in between has a value, the end none."""
    mdp = finite.FiniteMDP(("a", "b", "end"), ("short", "long"), [0, 0, 1], [0, 1, 0], [2, 1, 2], [5.0, 1, 2],
                           [1, 1, 1], [False, False, True])  # fmt: skip
    rows = {way: row for way, *row in acting_on_v.ways(mdp, 0.9)}
    assert rows["look_ahead"] == [2, 0.0, 0.0]
    states, other, lost = rows["next_value"]
    worth = 1 + 0.9 * 2
    assert (states, other) == (2, 0.5) and lost == pytest.approx((5 - worth) / (5 - (5 + worth) / 2))


def test_one_reward_a_state_needs_no_look_at_it():
    settings = ActingOnV(gammas=(0.5, 0.9))
    drawn = list(models.random_mdps(Random(seeds=(3, 4), mdps=3, states=12, actions=3, successors=3)))
    table = acting_on_v.acted({"robot": ROBOT}, drawn, settings)
    lost = table.set_index(["mdp", "way"])["share_lost"]
    assert (lost["random_state_rewards"] == 0).all() and (lost["random", "next_value"] > 0).all()
    assert (lost[:, "look_ahead"] == 0).all()
    assert len(table) == 2 * 2 * (1 + 2 * 2)


# --- Identities ------------------------------------------------------------------------------------------------------


def test_identities_hold_and_are_checks_that_can_fail(monkeypatch):
    settings = Identities(0.9, 1e-11, 1e-6, seed=0, policies=3, enumerated=Enumerated(mdps=2, states=2, actions=2))
    drawn = [mdp for _, mdp in models.random_mdps(Random(seeds=(0,), mdps=3, states=6, actions=2, successors=2))]
    rows = identities.checked({"robot": ROBOT}, drawn, settings)
    of_checks = rows[rows["check"] != "product"]
    assert of_checks["miss"].max() < 1e-9 and rows.loc[rows["check"] == "product", "miss"].min() > 0.1
    evaluate = solve.evaluate
    monkeypatch.setattr(solve, "evaluate", lambda *args: evaluate(*args) * 1.01)
    wrong = identities.checked({"robot": ROBOT}, drawn, settings).set_index(["mdp", "check"])["miss"]
    assert (wrong["robot"][["bellman", "sweeps", "value_iteration"]] > 1e-3).all()


# --- A race to mate --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("race", [RACE, Race(4, 3, 0.3, 1), Race(2, 1, 1.0, 1)])
def test_attacking_at_once_wins_as_often_as_the_binomial_says(race):
    """Mate comes with the n-th attack, after n - 1 moves of the opponent, of whom fewer than m succeed."""
    from math import comb

    n, m, p = race.moves_to_mate - 1, race.opponent_moves, race.opponent_success
    expected = sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(m))
    player = reward_design.Player(race)
    assert player.most == pytest.approx(expected)
    mates, captures = player.plays(models.race(race, DESIGNS["sparse"]), 1)
    assert mates == pytest.approx(expected) and captures == 0


def test_the_threshold_is_where_the_policy_changes():
    table = reward_design.thresholds(RACE, DESIGN)
    player = reward_design.Player(RACE)
    for row in table.dropna().itertuples():
        cost = reward_design.PENALTIES[row.penalty]
        mdp = models.race(RACE, Design(mate=1, mated=cost, capture=row.bonus))
        assert player.mates_first(mdp, row.mate_first_from) and player.mates_first(mdp, 1)
        below = row.mate_first_from - 2 * DESIGN.tolerance
        assert row.mate_first_from == 0 or not player.mates_first(mdp, below)
    assert table["mate_first_from"].isna().any(), "as much as mate: at no rate"


def test_no_policy_mates_more_often():
    table = reward_design.by_discount(RACE, DESIGN)
    assert (table["mates"] <= table["mates_at_most"] + 1e-12).all()
    assert (table.loc[table["design"] == "sparse", "mates"] == table["mates_at_most"].iloc[0]).all()
    assert table.loc[table["design"] == "misleading", "captures"].iloc[0] == 2


def test_feedback_of_the_sparse_design_comes_with_the_end():
    table = reward_design.feedback(RACE, DESIGN).set_index("design")
    assert table.loc["sparse", "moves_to_reward"] == table.loc["sparse", "moves_to_end"]
    assert table.loc["misleading", "moves_to_reward"] < table.loc["sparse", "moves_to_reward"]


# --- Maze and corridor -----------------------------------------------------------------------------------------------


def test_a_step_that_costs_leaves_no_detour():
    settings = Navigation(rows=4, columns=4, walls=((1, 1), (2, 1)), goal=(3, 3), goal_reward=100, step_reward=-1,
                          bump_reward=-10, gammas=(0.9, 1))  # fmt: skip
    share = navigation.navigated(settings).set_index(["gamma", "cost"])["share_direct"]
    assert share[0.9, "step"] == share[1, "step"] == share[0.9, "none"] == 1 and share[1, "none"] < 1


def test_a_maze_whose_goal_is_walled_off_is_refused():
    settings = Navigation(rows=2, columns=3, walls=((0, 1), (1, 1)), goal=(0, 2), goal_reward=1, step_reward=-1,
                          bump_reward=-1, gammas=(1,))  # fmt: skip
    with pytest.raises(DataError, match="no policy that ends") as caught:
        navigation.navigated(settings)
    assert caught.value.context["state"] == "0,0"


CORRIDOR = {"seeds": (0, 1, 2), "lengths": (4, 8), "alpha": 0.5, "gamma": 0.9, "epsilon": 0.1, "most_moves": 100_000}


def test_progress_is_learnt_faster_and_a_seed_gives_the_same_moves():
    table = sparse_reward.learnt(SparseReward(**CORRIDOR))
    pd.testing.assert_frame_equal(table, sparse_reward.learnt(SparseReward(**CORRIDOR)))
    means = table.groupby(["length", "reward"])["moves"].mean()
    for length in (4, 8):
        assert length <= means[length, "progress"] < means[length, "sparse"]


def test_who_does_not_learn_is_given_up():
    with pytest.raises(DataError, match="has not learnt") as caught:
        sparse_reward.learnt(SparseReward(**CORRIDOR | {"most_moves": 10}))
    assert caught.value.context["length"] == 4


def test_the_learner_follows_the_equation():
    """With epsilon 1 every move is drawn: the values are those of the update, taken apart in one array."""
    settings = SparseReward(**CORRIDOR | {"epsilon": 1, "lengths": (3,)})
    for seed, progress in itertools.product(range(5), (False, True)):
        moves = sparse_reward.moves_to_learn(np.random.Generator(np.random.SFC64(seed)), 3, progress, settings)
        rng, q_SA, count, s = np.random.Generator(np.random.SFC64(seed)), np.zeros((4, 2)), 0, 0
        while True:
            if q_SA[s, 0] != q_SA[s, 1]:
                rng.random()
            a = int(rng.random() < 0.5)
            after = min(max(s + (1 if a else -1), 0), 3)
            reward = float(after == 3) + (after - s) / 3 * progress
            q_SA[s, a] = 0.5 * q_SA[s, a] + 0.5 * (reward + 0.9 * q_SA[after].max())
            s, count = after, count + 1
            if s == 3:
                s = 0
                if (q_SA[:3, 1] > q_SA[:3, 0]).all():
                    break
        assert moves == count
