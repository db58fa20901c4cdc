"""Failures that are values: what the table has of each way is what that way's authors promise."""

import pytest

from postproof.errors import results_as_values
from postproof.errors.settings import Results


@pytest.fixture(scope="module")
def table():
    return results_as_values.uses().set_index(["way", "use"])


def test_right_use_gives_value_and_error_in_every_way(table):
    for way in ("described", "returns"):
        assert table.loc[(way, "value_of_success"), "gives"] == "the value"
    for way in ("described", "returns", "exception"):
        assert table.loc[(way, "error_of_failure"), "error_kept"] == 1


def test_wrong_use_stops_in_every_way_and_the_library_keeps_the_error(table):
    assert (table.xs("value_of_failure", level="use")["stops"] == 1).all()
    assert table.loc[("returns", "value_of_failure"), "error_kept"] == 1
    assert table.loc[("described", "value_of_failure"), "error_kept"] == 0


def test_only_an_exception_cannot_be_dropped(table):
    dropped = table.xs("dropped_failure", level="use")["stops"]
    assert dropped.to_dict() == {"described": 0, "returns": 0, "exception": 1}


def test_equality_and_patterns_are_the_librarys(table):
    assert table.loc[("returns", "equal_successes"), "gives"] == "true"
    assert table.loc[("described", "equal_successes"), "gives"] == "false"
    assert table.loc[("described", "pattern"), "raises"] == "TypeError"


def test_an_error_is_found_where_it_is_wrapped():
    cause = results_as_values.failing()
    wrapped = ValueError("other")
    wrapped.__cause__ = cause
    assert results_as_values.holds_error(wrapped) and not results_as_values.holds_error(ValueError("other"))


def test_the_example_answers_valid_data_and_fails_on_invalid_for_want_of_a_message():
    table = results_as_values.example(Results(user_id=7)).set_index(["hierarchy", "given"])
    assert table["answers"].to_dict() == {
        ("described", "invalid"): 0, ("described", "valid"): 1,
        ("with_message", "invalid"): 1, ("with_message", "valid"): 1,
    }  # fmt: skip
    assert set(table["user_id"].dropna()) == {7}
