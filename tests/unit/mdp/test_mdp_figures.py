"""Charts draw other settings too, say what the tables have, and refuse tables that break an identity."""

import pandas as pd
import pytest

from figures_helpers import draw
from postproof.core.errors import ArtefactError
from postproof.mdp import (
    acting_on_v,
    backup_diagram,
    discounting,
    finite,
    gridworld,
    models,
    reward_design,
    sparse_reward,
)
from postproof.mdp.figures import acting_on_v as acting_chart
from postproof.mdp.figures import backup_diagram as backup_chart
from postproof.mdp.figures import discounting as discounting_chart
from postproof.mdp.figures import gridworld_optimal as optimal_chart
from postproof.mdp.figures import gridworld_values as values_chart
from postproof.mdp.figures import reward_design as reward_chart
from postproof.mdp.figures import sparse_reward as sparse_chart
from postproof.mdp.settings import (
    ActingOnV,
    BackupDiagram,
    Design,
    Discounting,
    Gridworld,
    Jump,
    Race,
    Random,
    RewardDesign,
    SparseReward,
)

ROBOT = finite.from_yaml("data/published/mdp/recycling_robot.yaml")
PRINTED = pd.read_csv("data/published/mdp/gridworld.csv")
RACE = Race(moves_to_mate=3, opponent_moves=2, opponent_success=0.5, captures=1)


def backups(state: str = "low", action: str = "search") -> pd.DataFrame:
    return backup_diagram.diagrams(ROBOT, BackupDiagram(state=state, action=action, gamma=0.9))


def cells(rows: int, columns: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    return gridworld.solved(Gridworld(rows, columns, {"A": Jump((0, 1), (1, 0), 10)}, -1, 0.9), PRINTED)


def discounts(*gammas: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    settings = Discounting(gammas=gammas, steps=20, seed=0, rewards=10)
    return discounting.rates(settings), discounting.steps(settings)


def acted(drawn: bool = True) -> pd.DataFrame:
    found = list(models.random_mdps(Random(seeds=(5,), mdps=1, states=6, actions=2, successors=2)))
    return acting_on_v.acted({"recycling_robot": ROBOT}, found if drawn else [], ActingOnV(gammas=(0.9,)))


def designed(**designs: Design) -> tuple[pd.DataFrame, pd.DataFrame]:
    settings = RewardDesign(gamma_step=0.25, designs=designs, bonuses=(0.1, 1), tolerance=0.01, acted_on="sparse")
    return reward_design.by_discount(RACE, settings), reward_design.thresholds(RACE, settings)


def learnt(*lengths: int) -> pd.DataFrame:
    return sparse_reward.learnt(SparseReward((0,), lengths, 0.5, 0.9, 0.1, 100_000))


# --- Drawn -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chart, tables",
    [
        ("backup_diagram", lambda: {"backup_diagram": backups("high", "wait")}),
        ("gridworld_values", lambda: {"gridworld_values": cells(2, 3)[0]}),
        ("gridworld_optimal", lambda: dict(zip(("gridworld_values", "gridworld_optimal"), cells(3, 2)))),
        ("discounting", lambda: dict(zip(("discounting", "discounting_steps"), discounts(0.3)))),
        ("acting_on_v", lambda: {"acting_on_v": acted(drawn=False)}),
        ("reward_design", lambda: dict(zip(("reward_design", "reward_design_bonus"), designed(
            sparse=Design(mate=1, mated=0, capture=0))))),
        ("sparse_reward", lambda: {"sparse_reward": learnt(3)}),
    ],
)  # fmt: skip
def test_other_settings_are_drawn_with_the_same_bytes(tmp_path, chart, tables):
    once = draw("mdp", chart, tables(), tmp_path)
    assert once == draw("mdp", chart, tables(), tmp_path)


# --- Said ------------------------------------------------------------------------------------------------------------


def test_what_acting_optimally_changes():
    table = backups()
    assert backup_chart.says(table) == (
        "State low is worth 11.4 as the mean over its actions, and 15.3 by the best of them: recharge"
    )
    table.loc[table["diagram"] == "v_star", "value"] = table.loc[table["diagram"] == "v", "value"].to_numpy()
    assert "no policy makes more of it" in backup_chart.says(table)


def test_beside_the_book():
    values, moves = gridworld.solved(
        Gridworld(5, 5, {"A": Jump((0, 1), (4, 1), 10), "B": Jump((0, 3), (2, 3), 5)}, -1, 0.9), PRINTED
    )
    of_policy = values[values["policy"] == "equiprobable"].copy()
    assert values_chart.says(of_policy).startswith(
        "All 25 values of the equiprobable policy round to the book's digits"
    )
    optimal = values[values["policy"] == "optimal"]
    assert optimal_chart.says(optimal, moves).endswith("16 of 25 cells have several optimal moves")
    assert optimal_chart.says(optimal, moves.assign(is_best=[1, 0, 0, 0] * 25)).endswith("each cell has one best move")
    of_policy.loc[0, "printed"] = 4.0
    assert values_chart.says(of_policy) == (
        "24 of 25 values of the equiprobable policy round to the book's digits; others are off by up to 0.69"
    )
    assert "book" not in values_chart.says(of_policy.assign(printed=float("nan")))


def test_how_far_a_discount_looks():
    assert discounting_chart.says(*discounts(0.5, 0.9, 1)) == (
        "With a discount of 0.9 a reward of one at every step makes 10 in all; "
        "without discount it makes 21 after 21 steps and grows on"
    )
    assert "grows on" not in discounting_chart.says(*discounts(0.5))
    assert discounting_chart.says(*discounts(1)).startswith("Without discount it makes 21")


def test_who_loses_by_the_next_state_alone():
    table = acted()
    said = acting_chart.says(table)
    assert "2 of 3 MDPs lose" in said and "worse than chance" in said
    robot = acting_chart.says(table[table["mdp"] == "recycling_robot"])
    assert "all MDPs lose, most in recycling robot" in robot
    assert "picks optimal actions" in acting_chart.says(table.assign(share_lost=0.0))


def test_when_mate_comes_first():
    sparse, misleading = Design(mate=1, mated=-1, capture=0), Design(mate=1, mated=-1, capture=1)
    said = reward_chart.says(designed(sparse=sparse, misleading=misleading)[0])
    assert said == "Where a capture counts as much as mate, captures come before mate at every discount rate"
    assert "at every discount rate" in reward_chart.says(designed(sparse=sparse)[0])
    weighted = reward_chart.says(designed(weighted=Design(mate=100, mated=-100, capture=1))[0])
    assert weighted.startswith("Where mate counts a hundred captures, mate comes before captures from a rate of 0.")


def test_how_much_longer_learning_takes():
    table = learnt(3, 6)
    assert "times in one of 6" in sparse_chart.says(table)
    assert "times in one" not in sparse_chart.says(table[table["length"] == 3])
    assert "longer in some corridors and not in others" in sparse_chart.says(table.assign(moves=9))


# --- Refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chart, tables, message",
    [
        ("backup_diagram", lambda: {"backup_diagram": backups().assign(value=1.0)}, "backed up"),
        ("discounting", lambda: dict(zip(("discounting", "discounting_steps"),
                                         (lambda one, two: (one, two.assign(return_so_far=9)))(*discounts(0.5)))),
         "above its limit"),
        ("acting_on_v", lambda: {"acting_on_v": acted().assign(share_lost=0.1)}, "loses nothing"),
        ("reward_design", lambda: dict(zip(("reward_design", "reward_design_bonus"),
                                           (lambda one, two: (one.assign(mates_at_most=0.1), two))(*designed(
                                               sparse=Design(mate=1, mated=0, capture=0))))), "more often"),
        ("sparse_reward", lambda: {"sparse_reward": learnt(3).assign(moves=1)}, "fewer moves"),
        ("gridworld_optimal", lambda: dict(zip(("gridworld_values", "gridworld_optimal"),
                                               (lambda one, two: (one, two.assign(value=0.0)))(*cells(2, 2)))),
         "largest"),
    ],
)  # fmt: skip
def test_tables_that_break_an_identity_are_not_drawn(tmp_path, chart, tables, message):
    with pytest.raises(ArtefactError) as caught:
        draw("mdp", chart, tables(), tmp_path)
    assert message in caught.value.context["identity"]
