"""The section `mdp` of params.yaml against its classes."""

import copy
from pathlib import Path

import jsonschema
import pytest

from postproof.core import settings
from postproof.engines import params
from postproof.mdp.settings import Params

ROOT = Path(__file__).parents[3]


@pytest.fixture
def section() -> dict:
    return copy.deepcopy(params.load(ROOT / "params.yaml")["mdp"])


def put(section: dict, key: str, value) -> None:
    parent, _, last = key.rpartition(".")
    (params.look_up(section, parent) if parent else section)[last] = value


def broken(section: dict) -> list[str]:
    """Keys of the relations that do not hold."""
    built = settings.build(Params, section)
    return [relation.key for relation in settings.all_relations(built) if not relation.holds]


def test_the_section_is_what_its_class_allows(section):
    jsonschema.validate(section, settings.schema(Params))
    assert broken(section) == []


@pytest.mark.parametrize(
    "key, value, blamed",
    [
        ("examples.robot", "nowhere.yaml", "examples.robot"),
        ("random.successors", 51, "random.successors"),
        ("gridworld.columns", 3, "gridworld.jumps.B.at"),
        ("gridworld.jumps.B.at", [0, 1], "gridworld.jumps"),
        ("reward_design.acted_on", "none", "reward_design.acted_on"),
        ("reward_design.designs", {"dense": {"mate": 1, "mated": 0, "capture": 0}}, "reward_design.designs"),
        ("navigation.goal", [6, 0], "navigation.goal"),
        ("navigation.goal", [1, 1], "navigation.goal"),  # a wall
        ("navigation.walls", [[0, 9]], "navigation.walls"),
    ],
)
def test_what_does_not_fit_together_is_blamed(section, key, value, blamed):
    put(section, key, value)
    assert blamed in broken(section)


@pytest.mark.parametrize(
    "key, value",
    [
        ("gridworld.gamma", 1),  # the task never ends
        ("gridworld.gamma", -0.1),
        ("backup_diagram.gamma", 1),
        ("acting_on_v.gammas", [0.9, 1]),
        ("discounting.gammas", [1.1]),
        ("discounting.gammas", []),
        ("sparse_reward.alpha", 0),
        ("sparse_reward.epsilon", 1.5),
        ("sparse_reward.gamma", 1),
        ("race.opponent_success", 0),
        ("race.captures", 0),
        ("reward_design.gamma_step", 0),
        ("reward_design.designs", {}),
        ("navigation.step_reward", 1),  # a goal that is never reached would pay
        ("random.actions", 1),
        ("random.seeds", [0, 0]),
        ("identities.policies", 0),
        ("examples.environments", []),
    ],
)
def test_values_out_of_range_are_refused(section, key, value):
    put(section, key, value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(section, settings.schema(Params))
