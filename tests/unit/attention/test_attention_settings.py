"""The section `attention` of params.yaml: what may stand there, and what must fit together."""

import copy
from pathlib import Path

import jsonschema
import pytest

from postproof.attention import full_length
from postproof.attention.heads import row_statistics
from postproof.attention.settings import Params
from postproof.core import settings
from postproof.engines import params

SECTION = params.load(Path("params.yaml"))["attention"]


def with_value(key: str, value) -> dict:
    """The section with another value at a dotted key."""
    section = copy.deepcopy(SECTION)
    inner = section
    *path, last = key.split(".")
    for part in path:
        inner = inner[part]
    inner[last] = value
    return section


def broken(section: dict) -> list[str]:
    """Keys of the relations that the section breaks."""
    relations = settings.all_relations(settings.build(Params, section))
    return [relation.key for relation in relations if not relation.holds]


def test_the_section_of_params_yaml_is_accepted():
    jsonschema.Draft202012Validator(settings.schema(Params)).validate(SECTION)
    assert broken(SECTION) == []


@pytest.mark.parametrize(
    "key, value",
    [
        ("attention_check.shapes", []),
        ("attention_check.shapes", [[1, 8, 9, 64]]),
        ("attention_check.tokens", 1),
        ("softmax_scaling.keys", 1),
        ("sinusoidal_encoding.d_model", 7),
        ("attention_weights.sentence", " "),
        ("score_memory.sequences", [64, 64, 128, 256]),
        ("kv_cache_loads.models", ["llama2_70b", "llama2_70b"]),
        ("heads.local_above", 0),
        ("heads.copy_below", -1),
        ("heads.bootstrap_draws", 1),
        ("other_padding", {"Comma": 28}),
        ("hub_models", {"gpt2": ""}),
    ],
)
def test_values_out_of_range_are_refused(key, value):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(settings.schema(Params)).validate(with_value(key, value))


@pytest.mark.parametrize(
    "key, value",
    [
        ("attention_check.shapes", [[1, 8, 9, 8, 64]]),
        ("softmax_scaling.heads", [3]),
        ("attention_weights.heads", 3),
        ("attention_weights.head", 8),
        ("score_memory.sequences", [256, 128, 64]),
        ("score_memory.fit_longest", 128),
        ("public_models.models", ["gpt5"]),
        ("kv_cache_loads.models", ["gpt5"]),
        ("heads.copy_below", 3.0),
        ("heads.broad_above", 3.3),
        ("heads.local_above", 0.1),
        ("drawn_model", "gpt2"),
    ],
)
def test_values_that_do_not_fit_together_are_refused_by_key(key, value):
    assert key in broken(with_value(key, value))


@pytest.mark.parametrize("name", ["smollm2_135m", "smollm2_135m_pad_comma", "race_dense"])
def test_a_model_of_the_hub_has_no_name_of_our_own_runs(name):
    assert broken(with_value("hub_models", {name: "gpt2"})) == ["hub_models"]


def test_a_model_of_the_hub_can_be_drawn():
    section = with_value("hub_models", Params.EXAMPLES["hub_models"]) | {"drawn_model": "gpt2"}
    assert broken(section) == []


@pytest.mark.parametrize("positions, reach", [(2, 0), (24, 2), (64, 2)])
def test_the_scale_of_the_thresholds_is_uniform_attention_without_padding(positions, reach):
    uniform = row_statistics.uniform([positions], positions, reach, padding_hidden=True)
    assert full_length.entropy(positions) == pytest.approx(uniform["entropy"].mean(), rel=1e-14)
    assert full_length.diagonal(positions, reach) == pytest.approx(uniform["diagonal"].mean(), rel=1e-14)
