"""The section `rl_intro` of params.yaml: what is refused before any work, and in which words."""

import copy
from pathlib import Path

import pytest
import yaml

from postproof.core.errors import ParamsError
from postproof.engines import params
from postproof.rl_intro import looks
from postproof.rl_intro.figures import three_ways, what_is_needed

ROOT = Path(__file__).parents[3]
GOOD = params.load(ROOT / "params.yaml")


def edited(key: str, value: str) -> dict:
    content = copy.deepcopy(GOOD)
    parent, _, last = key.rpartition(".")
    params.look_up(content["rl_intro"], parent)[last] = yaml.safe_load(value)
    return content


def test_the_section_is_what_its_class_allows():
    params.validate(GOOD, "params.yaml", ROOT)


@pytest.mark.parametrize(
    "key, value, words",
    [
        ("learning.epsilon", "1.5", ["at most 1"]),
        ("learning.epsilon", "-0.1", ["at least 0"]),
        ("learning.epsilon", ".nan", ["number"]),
        ("learning.step_size", "0", ["more than 0"]),
        ("learning.step_size", "1.1", ["at most 1"]),
        ("learning.discount", "1", ["less than 1"]),
        ("learning.seeds", "[]", ["1"]),
        ("learning.longest_episode", "0", ["at least 1"]),
        ("learning_curves.episodes", "0", ["at least 2"]),
        ("learning_curves.planning_steps", "[50, 5]", ["from small to large"]),
        ("changing_world.blocking.change_after", "3000", ["less than steps (3000)"]),
        ("changing_world.blocking.steps", "3050", ["multiple of checkpoint_steps (100)"]),
        ("changing_world.shortcut.bonus", "0", ["more than 0"]),
        ("limits.power", "0.5", ["more than 0.5"]),
        ("limits.exploring", "0", ["more than 0"]),
        ("limits.checkpoints", "[100, 10]", ["from small to large"]),
        ("what_is_needed.trained_steps", "0", ["at least 1"]),
        ("three_ways.labels", "[0]", ["at least 1"]),
        ("learning.world", "NoSuchWorld-v0", ["no environment of gymnasium's registry", "FrozenLake-v1"]),
        ("learning.world", "Blackjack-v1", ["other observations than numbers", "Tuple"]),
        ("learning.world", "LunarLander-v3", ["not installed"]),
        ("limits.limit_world", "CartPole-v1", ["other observations than numbers", "Box"]),
    ],
)
def test_bad_input_is_refused_with_its_key_value_and_what_would_do(key, value, words):
    with pytest.raises(ParamsError) as raised:
        params.validate(edited(key, value), "params.yaml", ROOT)
    text = str(raised.value)
    for word in ["file: params.yaml", f"key: rl_intro.{key}", "value: ", "allowed: ", "what to do: ", *words]:
        assert word in text, text


def test_the_looks_are_of_this_post_and_each_case_of_a_table_has_a_name():
    from postproof.core import tables

    assert set(tables.schema("rl_intro/what_is_needed")["variant"].one_of) == set(what_is_needed.NAMES)
    assert set(tables.schema("rl_intro/three_ways")["way"].one_of) == set(three_ways.WAYS)
    for name, known in (("learning_curves", looks.LEARNERS), ("changing_world", looks.CHANGING)):
        assert set(tables.schema(f"rl_intro/{name}")["agent"].one_of) == set(known)
