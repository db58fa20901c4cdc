"""Errors carry what they were given, whatever that is; and the tables see it where they do not."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postproof.errors import hierarchy
from postproof.errors.as_described import exceptions as described
from postproof.errors.mended import exceptions as mended

KINDS = [getattr(mended, kind) for kind in hierarchy.KINDS]
CONTEXTS = st.dictionaries(st.text(), st.none() | st.integers() | st.text())


@settings(deadline=None)  # machines are crowded
@given(st.sampled_from(KINDS), st.text(min_size=1), CONTEXTS)
def test_a_mended_error_keeps_message_context_and_cause_and_a_copy_keeps_all(kind, message, context):
    before = dict(context)
    error = kind(message, cause=ConnectionError("first"), context=context)
    twin = copy.deepcopy(error)
    for one in (error, twin):
        assert one.message == str(one) == message and one.context.items() >= before.items()
        assert str(one.__cause__) == "first" and type(one) is kind
    error.context["more"] = 1
    assert context == before and twin.context.get("more") == before.get("more")


@pytest.mark.parametrize("value", [None, "", 0, False, "x"])
def test_a_mended_error_of_validation_has_the_value_that_it_was_given_and_no_other(value):
    assert mended.ValidationError("m", field="", value=value).context == {"field": "", "invalid_value": value}
    assert mended.ValidationError("m").context == {}


def test_a_cause_by_raise_from_is_the_same_as_one_given():
    cause = KeyError("k")
    with pytest.raises(mended.DatabaseError) as caught:
        raise mended.DatabaseError("m") from cause
    assert caught.value.__cause__ is mended.DatabaseError("m", cause=cause).__cause__ is cause


def test_the_mended_hierarchy_passes_every_check_and_the_described_one_not():
    table = hierarchy.carried()
    checks = ["has_message", "text_is_message", "context_kept", "takes_cause", "python_knows_cause", "copied_whole",
              "printed_with_cause", "copied_with_cause", "callers_context_kept", "caught_as_base"]  # fmt: skip
    whole = table.set_index(["variant", "error", "raised"])[checks].all(axis="columns").groupby("variant").all()
    assert whole["mended"] and not whole["described"]


def test_the_described_base_takes_no_message_and_the_described_kinds_no_cause_in_second_place():
    with pytest.raises(AttributeError):
        _ = described.ApplicationError("m").message
    assert {hierarchy.second_argument(getattr(described, kind)) for kind in hierarchy.KINDS} == {
        "original_exception", "field", "service_name",
    }  # fmt: skip


def test_a_hierarchy_that_shares_the_callers_dictionary_is_seen():
    class Shares(Exception):
        def __init__(self, message="", context={}, cause=None):  # noqa: B006  that is the fault
            super().__init__(message)
            self.context = context
            context["added"] = 1

    caught, original, given_context = hierarchy.raise_and_catch(Shares, "after")
    assert hierarchy.seen(caught, original, given_context)["callers_context_kept"] == 0
