"""Sections of params.yaml as classes: what their annotations say is what may stand there."""

import copy
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar

import jsonschema
import pytest

from postproof.core import settings
from postproof.core.errors import ParamsError
from postproof.core.settings import Relation, Settings
from postproof.engines import inventory, params

ROOT = Path(__file__).parents[3]
POSTS = [post for post in inventory.posts(ROOT) if (ROOT / f"src/postproof/{post}/settings.py").is_file()]
HEAVY = {"torch", "numpy", "pandas", "scipy", "matplotlib", "snakemake", "dvc"}

TYPES = [
    (int, [0, -3], [0.5, "1", None]),
    (float, [0, 0.5], ["1", None]),
    (str, ["", "a"], [1, None]),
    (bool, [True], [1, "true"]),
    (Annotated[int, settings.at_least(2)], [2, 3], [1]),
    (Annotated[float, settings.above(2)], [2.1], [2]),
    (Annotated[int, settings.at_most(2)], [2, -5], [3]),
    (Annotated[float, settings.below(2)], [1.9], [2]),
    (Annotated[int, settings.multiple_of(4)], [0, 8], [6]),
    (Annotated[str, settings.one_of("a", "b")], ["a", "b"], ["c", ""]),
    (Annotated[str, settings.pattern("^[a-z]+$")], ["ab"], ["", "a b", "A"]),
    (Annotated[int, settings.at_least(0), settings.at_most(9)], [0, 9], [-1, 10]),
    (tuple[int, ...], [[], [1, 1]], [1, ["a"], [1, 0.5]]),
    (Annotated[tuple[int, ...], settings.items()], [[1], [1, 2]], [[], [1, 1]]),
    (
        Annotated[tuple[int, ...], settings.items(at_least=2, at_most=3, unique=False)],
        [[1, 1], [1, 2, 3]],
        [[1], [1] * 4],
    ),
    (tuple[tuple[int, ...], ...], [[], [[1], [2]]], [[1]]),
    (dict[str, int], [{}, {"a": 1}], [[], {"a": "b"}]),
    (Mapping[str, tuple[int, ...]], [{"a": [1]}], [{"a": 1}]),
    (Annotated[dict[str, int], settings.keys("^[a-z]+$")], [{"a": 1}], [{"A": 1}, {"a": "b"}]),
    (settings.Count, [1], [0]),
    (settings.Position, [0], [-1]),
    (settings.Text, ["a"], [""]),
    (settings.Share, [0, 1, 0.5], [-0.1, 1.1]),
    (settings.Seeds, [[0, 1]], [[], [-1], [1, 1]]),
    (settings.Counts, [[1]], [[], [0]]),
    (settings.Flops, [1.0, 1e18], [0.5, 1e19]),
    (settings.LearningRate, [1e-9, 10], [0, 11]),
]


class Part(Settings):
    count: settings.Count
    seeds: settings.Seeds

    def relations(self) -> Iterator[Relation]:
        yield Relation(self.count > len(self.seeds), "count", self.count, "more than there are seeds")


class Whole(Settings):
    EXAMPLES: ClassVar = {"names": {"far": 3}}

    part: Part
    names: dict[str, tuple[int, ...]]
    rate: float

    def relations(self) -> Iterator[Relation]:
        yield Relation(self.rate > 0, "rate", self.rate, "more than 0")
        yield Relation(self.part.count < 9, "part.count", self.part.count, "less than 9")


CONTENT = {"part": {"count": 3, "seeds": [7, 8]}, "names": {"a": [1, 2], "b": []}, "rate": 0.5}
BUILT = Whole(Part(3, (7, 8)), {"a": (1, 2), "b": ()}, 0.5)


@pytest.mark.parametrize("kind, allowed, refused", TYPES, ids=str)
def test_a_schema_allows_what_the_annotation_says_and_nothing_else(kind, allowed, refused):
    validator = jsonschema.Draft202012Validator(settings.schema(kind))
    jsonschema.Draft202012Validator.check_schema(settings.schema(kind))
    assert all(validator.is_valid(value) for value in allowed)
    assert not any(validator.is_valid(value) for value in refused)


def test_a_section_has_all_its_keys_and_no_others():
    validator = jsonschema.Draft202012Validator(settings.schema(Whole))
    assert validator.is_valid(CONTENT)
    for section in ("part", None):
        for change in ("add", "remove"):
            changed = copy.deepcopy(CONTENT)
            place = changed[section] if section else changed
            place.pop(next(iter(place))) if change == "remove" else place.update(other=1)
            assert not validator.is_valid(changed), (section, change)
    assert "EXAMPLES" not in settings.schema(Whole)["properties"]


def test_a_section_is_built_with_tuples_and_the_sections_in_it():
    assert settings.build(Whole, CONTENT) == BUILT
    assert hash(BUILT.part), "nothing in it can be changed"
    with pytest.raises(AttributeError):
        BUILT.rate = 1


def test_one_json_or_several_make_up_a_section():
    parts = [json.dumps({key: value}) for key, value in CONTENT.items()]
    assert settings.parse(Whole, json.dumps(CONTENT)) == settings.parse(Whole, *parts) == BUILT
    assert settings.parse(Whole, *reversed(parts)) == BUILT


BROKEN = {
    "no JSON": ["{"],
    "no object": ["[1]"],
    "a number": ["3"],
    "nothing": [],
    "a key is missing": [json.dumps(CONTENT | {"part": {"count": 3}})],
    "a section is missing": [json.dumps({"rate": 0.5})],
    "a key too many": [json.dumps(CONTENT | {"other": 1})],
    "a key too many below": [json.dumps(CONTENT | {"part": CONTENT["part"] | {"other": 1}})],
    "a key in two": [json.dumps(CONTENT), '{"rate": 0.5}'],
    "no section where one stands": [json.dumps(CONTENT | {"part": 3})],
    "no list where one stands": [json.dumps(CONTENT | {"names": {"a": 3}})],
}


@pytest.mark.parametrize("texts", BROKEN.values(), ids=BROKEN)
def test_what_is_no_section_is_an_error_that_says_what_would_be(texts):
    with pytest.raises(ParamsError, match="not a section for Whole") as caught:
        settings.parse(Whole, *texts)
    assert caught.value.context["allowed"] == "JSON with part, names, rate"


def test_relations_are_named_by_dotted_keys_from_the_top():
    assert [(relation.key, relation.holds) for relation in settings.all_relations(BUILT, "post.")] == [
        ("post.rate", True),
        ("post.part.count", True),
        ("post.part.count", True),
    ]
    broken = settings.build(Whole, CONTENT | {"part": {"count": 2, "seeds": [7, 8]}, "rate": -1.0})
    assert [relation.key for relation in settings.all_relations(broken) if not relation.holds] == ["rate", "part.count"]


def test_the_params_of_all_posts_are_valid(monkeypatch):
    monkeypatch.chdir(ROOT)
    params.validate(params.load(ROOT / "params.yaml"), "params.yaml", ROOT)
    assert params.sections(ROOT).keys() == set(POSTS)


@pytest.mark.parametrize("post", POSTS)
def test_examples_stand_for_what_is_empty_by_default_and_are_valid(post):
    section = params.load(ROOT / "params.yaml")[post]
    cls = params.sections(ROOT)[post]
    for key, example in getattr(cls, "EXAMPLES", {}).items():
        assert params.look_up(section, key) in ([], {}) and example
        filled = copy.deepcopy(section)
        *path, last = key.split(".")
        place = params.look_up(filled, ".".join(path)) if path else filled
        place[last] = example
        jsonschema.validate(filled, settings.schema(cls))


def test_settings_load_no_library():
    """The border checks params.yaml before anything runs: at once."""
    modules = [f"postproof.{post}.settings" for post in POSTS]
    script = f"import sys, importlib; [importlib.import_module(name) for name in {modules}]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not HEAVY & {name.partition(".")[0] for name in done.stdout.split()}
