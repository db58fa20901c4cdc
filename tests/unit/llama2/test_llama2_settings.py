"""The section `llama2` of params.yaml against its classes, and the looks of the post's charts."""

import copy
import json
import re
from pathlib import Path

import jsonschema
import pytest

from postproof.core import settings
from postproof.engines import params
from postproof.llama2 import looks
from postproof.llama2.settings import Params, RopeTheta

ROOT = Path(__file__).parents[3]
FIGURES = ROOT / "src/postproof/llama2/figures"


@pytest.fixture
def section() -> dict:
    return copy.deepcopy(params.load(ROOT / "params.yaml")["llama2"])


def broken(section: dict) -> list[tuple]:
    """Key and value of the relations that do not hold."""
    built = settings.build(Params, section)
    return [(relation.key, relation.value) for relation in settings.all_relations(built) if not relation.holds]


def test_the_section_is_what_its_class_allows(section):
    jsonschema.validate(section, settings.schema(Params))
    assert broken(section) == []


@pytest.mark.parametrize(
    "key, value, blamed",
    [
        ("head.larger_base", 10_000, ("head.larger_base", 10_000)),
        ("head.d_head", 32, ("rope_diagram.pairs", 16)),
        ("rope_diagram.key_position", 4, ("rope_diagram.key_position", 4)),
        ("public_models.models", ["llama2_7b", "llama9"], ("public_models.models", "llama9")),
        ("kv_models.varied", "llama2_7b", ("kv_models.compared", "llama2_7b")),
        ("kv_models.served", ["falcon_180b"], ("kv_models.served", "falcon_180b")),  # no chart can draw it
        ("kv_models.decoding", ["llama9"], ("kv_models.decoding", "llama9")),
        ("accelerator", "b100", ("accelerator", "b100")),
        ("kv_cache_memory.sequence_step", 8192, ("kv_cache_memory.sequence_step", 8192)),
        ("kv_max_batch.posted_sequence", 4000, ("kv_max_batch.posted_sequence", 4000)),
        ("held_texts.page", "data/texts", ("held_texts.page", "data/texts")),
    ],
)
def test_what_does_not_fit_together_is_blamed(section, key, value, blamed):
    parent, _, last = key.rpartition(".")
    (params.look_up(section, parent) if parent else section)[last] = value
    assert blamed in broken(section)


@pytest.mark.parametrize(
    "key, value",
    [
        ("head.d_head", 7),
        ("rope_check.seeds", []),
        ("rope_check.seeds", [1, 1]),
        ("rope_decay.draws", 1),
        ("rope_diagram.pairs", [0, 1, 2, 3]),
        ("norm_check.eps", 0),
        ("kv_max_batch.budget", "20 GB"),
        ("serving_budget.loads", [[10]]),
        ("serving_budget.loads", [[10, 0]]),
        ("serving_budget.loads", []),
        ("model.sha256", "0"),
        ("ablation.first_position", 0),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(section, key, value):
    parent, _, last = key.rpartition(".")
    params.look_up(section, parent)[last] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(section, settings.schema(Params))


def test_a_job_gets_the_head_and_its_own_section(section):
    theta = settings.parse(RopeTheta, json.dumps(section["head"]), json.dumps(section["rope_theta"]))
    assert theta.bases == (section["head"]["base"], section["head"]["larger_base"])
    assert theta.contexts == tuple(section["rope_theta"]["contexts"])


def test_grouped_query_attention_has_one_colour_and_the_varied_model_those_of_its_kv_heads():
    colours = {stem: look.colour for stem, look in looks.LOOKS.items()}
    assert colours["gqa"] == colours["llama2_70b"] == colours["fused"]
    assert colours["mha"] == colours["llama2_70b_mha"] and colours["mqa"] == colours["llama2_70b_mqa"]
    assert len({colours[stem] for stem in looks.MODELS}) == len(looks.MODELS)


def test_colours_stand_in_the_table_of_looks_only():
    for path in FIGURES.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"#[0-9A-Fa-f]{6}|color=[\"'](?!none)", text), path.name
