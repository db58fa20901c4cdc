"""A line of the log is one JSON object, whatever was logged; and the table sees where it is not."""

import json
import logging
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postproof.errors import json_lines
from postproof.errors.as_described.json_formatter import JsonFormatter
from postproof.errors.json_lines import Logged
from postproof.errors.mended.json_formatter import JsonFormatter as MendedFormatter
from postproof.errors.mended.json_formatter import plain

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes()
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)
AS_JSON = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
for _ in range(3):
    AS_JSON = AS_JSON | st.lists(AS_JSON, max_size=3) | st.dictionaries(st.text(), AS_JSON, max_size=3)


@settings(deadline=None, max_examples=40)  # machines are crowded
@given(st.text(), st.dictionaries(st.text(), ANYTHING))
def test_whatever_is_in_the_context_a_mended_record_is_one_line_that_tells_its_own(message, context):
    text = json_lines.by_logging(Logged(None, context, message), MendedFormatter())
    assert text.endswith("\n") and text.count("\n") == 1
    line = json_lines.parsed(text)
    assert line["message"] == message and line["level"] == "ERROR"
    assert set(line["context"]) == {str(key) for key in context}


@settings(deadline=None, max_examples=40)  # machines are crowded
@given(AS_JSON)
def test_what_json_has_comes_back_as_it_was(value):
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == value


def test_a_context_that_holds_itself_ends():
    holds = {}
    holds["itself"] = holds
    assert "..." in json.dumps(plain(holds))


@pytest.mark.parametrize("line", ["{", "[1]", "1", '{"share": NaN}', "{} {}", ""])
def test_what_is_no_json_object_is_none(line):
    assert json_lines.parsed(line) is None


def test_a_formatter_that_fails_writes_nothing():
    class Fails(logging.Formatter):
        def format(self, record):
            raise ValueError

    assert json_lines.by_logging(Logged(None, {}, "m"), Fails()) == ""


def test_the_described_line_of_an_error_that_was_raised_holds_it_and_of_one_that_was_not_does_not():
    for chain, frames, cause in (("never_raised", 0, 0), ("raised_after", 1, 0), ("raised_from", 1, 1)):
        logged = Logged(json_lines.raised(chain, json_lines.by_attribute), json_lines.context())
        row = json_lines.read(json_lines.by_logging(logged, JsonFormatter()), logged)
        assert (row["is_json"], row["names_error"], row["traceback"], row["names_cause"]) == (1, 1, frames, cause)


def test_mended_errors_and_lines_keep_all_in_every_case():
    table = json_lines.lines()
    mended = table[table["formatter"] == "mended"].set_index("case")
    assert mended[["is_json", "level_kept", "message_kept", "time_kept", "context_kept"]].all(axis=None)
    errors = mended.drop(index=["no_error", "lines_in_the_message"])
    assert (errors["opentelemetry_fields"] == 3).all() and errors["names_cause"].all()


def test_every_formatter_is_given_the_same_cases():
    table = json_lines.lines()
    assert (table.groupby("case")["formatter"].nunique() == len(json_lines.WRITERS)).all()


def test_a_time_is_logged_by_structlog_as_well():
    logged = Logged(None, json_lines.context() | {"at": datetime(2026, 1, 1)})
    assert json_lines.read(json_lines.by_structlog(logged), logged)["context_kept"] == 1
