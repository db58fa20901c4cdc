"""The section `errors` of params.yaml against its classes."""

import copy
from pathlib import Path

import jsonschema
import pytest

from postproof.core import settings
from postproof.engines import params
from postproof.errors.settings import Params

SECTION = params.load(Path(__file__).parents[3] / "params.yaml")["errors"]


def test_the_section_is_what_its_class_allows():
    jsonschema.validate(SECTION, settings.schema(Params))


@pytest.mark.parametrize(
    "section, key, value",
    [
        ("handlers", "user_id", 0),
        ("handlers", "user_id", "42"),
        ("results_as_values", "user_id", 1.5),
        ("error_propagation", "retries", 0),
        ("error_propagation", "retries", 11),
        ("error_propagation", "retry", 1),
    ],
)
def test_what_is_out_of_range_is_refused(section, key, value):
    wrong = copy.deepcopy(SECTION)
    wrong[section][key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, settings.schema(Params))
