"""The way of an exception is traced as it was, and code about errors is counted as it stands."""

import ast
import sys
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postproof.errors import error_propagation
from postproof.errors.error_propagation import FAILURES, HANDLINGS, Passed
from postproof.errors.settings import Propagation


def service(code: str) -> dict:
    """Functions that the trace takes for the service's."""
    names = {"__name__": "errors.service.made_up"}
    exec(compile(dedent(code), "<service>", "exec"), names)
    return names


CHAIN = """
    def top(depth):
        try:
            return go(depth)
        except KeyError as error:
            return wrap(error) if depth == 0 else None
    def go(depth):
        return deeper(depth)
    def deeper(depth):
        raise KeyError(depth)
    def wrap(error):
        try:
            raise ValueError from error
        except ValueError:
            return None
"""


def test_functions_are_counted_from_the_one_that_raises_to_the_one_that_catches():
    top = service(CHAIN)["top"]
    before = sys.gettrace()
    with Passed() as passed:
        top(1)
    assert passed.frames_of_first() == 3 and len(passed.errors) == 1 and sys.gettrace() is before


def test_another_exception_is_another_one_and_raised_again_is_the_same():
    with Passed() as passed:
        service(CHAIN)["top"](0)
    assert [type(error) for error in passed.errors] == [KeyError, ValueError]
    again = service("""
        def top():
            try:
                go()
            except KeyError:
                pass
        def go():
            try:
                raise KeyError
            except KeyError:
                raise
    """)
    with Passed() as passed:
        again["top"]()
    assert len(passed.errors) == 1 and passed.frames_of_first() == 2


def test_nothing_raised_is_no_frame_and_other_modules_are_not_looked_at():
    with Passed() as passed:
        int("1")
        with pytest.raises(ValueError):
            int("x")
    assert passed.frames_of_first() == 0


@pytest.mark.parametrize(
    "code, about, all_lines",
    [
        ("def f():\n    return 1", 0, 2),
        ("def f():\n    try:\n        return g()\n    except E:\n        log()\n        raise", 4, 6),
        ("def f():\n    x = g()\n    if x is None:\n        return None\n    return x", 2, 5),
        ("def f(x):\n    if not x:\n        raise E\n    return x", 0, 4),
        ("def f():\n    # why\n\n    if not g():\n        return None", 2, 3),
    ],
)
def test_lines_about_errors(code, about, all_lines):
    function = ast.parse(code).body[0]
    assert (error_propagation.about_errors(function), error_propagation.lines(function)) == (about, all_lines)


@settings(deadline=None)  # machines are crowded
@given(st.integers(1, 10))
def test_a_user_is_registered_by_every_handling_and_busy_once_is_recovered_from_by_those_that_retry(retries):
    table = error_propagation.travelled(Propagation(retries=retries)).set_index(["handling", "failure"])
    assert (table.xs("none", level="failure")["status"] == 201).all()
    busy = table.xs("busy_once", level="failure")
    assert set(busy.index[busy["status"] == 201]) == set(HANDLINGS) - {"central"}


def test_no_more_is_logged_than_is_known_and_every_failure_is_told_of():
    table = error_propagation.travelled(Propagation(retries=1))
    assert len(table) == len(HANDLINGS) * len(FAILURES)
    assert (table["context_in_one_record"] <= table["context_logged"]).all()
    assert (table["context_logged"] <= table["context_known"]).all() and (table["tracebacks"] <= table["records"]).all()
    assert (table["records"][table["status"] >= 400] > 0).all()


def test_the_mixed_service_is_right_and_says_it_once():
    table = error_propagation.travelled(Propagation(retries=1))
    mixed = table[table["handling"] == "mixed"]
    assert (mixed["status"] == mixed["expected_status"]).all() and (mixed["records"] <= 1).all()


def test_the_four_services_have_the_same_layers():
    code = error_propagation.code(error_propagation.travelled(Propagation(retries=1)))
    assert code["layers"].nunique() == 1 and (code["error_lines"] < code["code_lines"]).all()
