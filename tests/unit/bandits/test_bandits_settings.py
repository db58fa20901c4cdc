"""The section `bandits` of params.yaml: what is refused before any work, and with which words."""

import copy
from pathlib import Path

import jsonschema
import pytest

from postproof.bandits.settings import Params
from postproof.core import settings
from postproof.core.errors import ParamsError
from postproof.engines import params

ROOT = Path(__file__).parents[3]


@pytest.fixture
def section() -> dict:
    return copy.deepcopy(params.load(ROOT / "params.yaml")["bandits"])


def changed(section: dict, key: str, value) -> dict:
    parent, _, last = key.rpartition(".")
    params.look_up(section, parent)[last] = value
    return section


def broken(section: dict) -> list[tuple]:
    built = settings.build(Params, section)
    return [(relation.key, relation.value) for relation in settings.all_relations(built) if not relation.holds]


def test_the_section_is_what_its_class_allows(section):
    jsonschema.validate(section, settings.schema(Params))
    assert broken(section) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("testbed.arms", 0),
        ("testbed.arms", 1),
        ("testbed.steps", 0),
        ("testbed.problems", 0),
        ("testbed.reward_variance", -1),
        ("agents.large_epsilon", 1.5),
        ("agents.small_epsilon", -0.1),
        ("agents.step_size", 0),
        ("agents.step_size", 1.1),
        ("agents.c", 0),
        ("agents.gradient_step_sizes", [0, 0.4]),
        ("agents.gradient_step_sizes", [0.1]),
        ("noise.epsilons", [0.1, 2]),
        ("noise.variances", [1]),
        ("contextual.contextual_epsilon", -1),
        ("parameter_study.cs", []),
        ("parameter_study.kinds", {}),
        ("parameter_study.kinds.testbed.arms", 0),
        ("parameter_study.kinds.testbed.steps", 0),
    ],
)
def test_a_value_out_of_its_range_is_refused(section, key, value):
    with pytest.raises(jsonschema.ValidationError) as refused:
        jsonschema.validate(changed(section, key, value), settings.schema(Params))
    assert ".".join(map(str, refused.value.absolute_path)).startswith(key)


@pytest.mark.parametrize(
    ("key", "value", "blamed"),
    [
        ("agents.small_epsilon", 0.2, ("agents.large_epsilon", 0.1)),
        ("agents.gradient_step_sizes", [0.4, 0.1], ("agents.gradient_step_sizes", (0.4, 0.1))),
        ("agents.early_steps", 2000, ("agents.early_steps", 2000)),
        ("long_run.long_steps", 500, ("long_run.long_steps", 500)),
        ("noise.epsilons", [0, 0.1], ("noise.epsilons", 0)),
        ("contextual.values", [[10, 20], [90]], ("contextual.values", (90,))),
        ("parameter_study.kinds", {}, ("parameter_study.kinds", "")),
    ],
)
def test_what_does_not_fit_together_is_blamed(section, key, value, blamed):
    assert blamed in broken(changed(section, key, value))


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("testbed.arms", 0, "at least 2"),
        ("testbed.steps", 0, "at least 10"),
        ("agents.large_epsilon", 1.5, "at most 1"),
        ("agents.step_size", 0, "more than 0"),
    ],
)
def test_the_message_names_file_key_value_and_range(key, value, allowed):
    whole = copy.deepcopy(params.load(ROOT / "params.yaml"))
    changed(whole["bandits"], key, value)
    with pytest.raises(ParamsError) as refused:
        params.validate(whole, "params.yaml", ROOT)
    message = str(refused.value)
    assert "params.yaml" in message and f"bandits.{key}" in message and str(value) in message and allowed in message
