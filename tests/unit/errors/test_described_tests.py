"""Mutants are broken in one place each, and pytest is counted as it says."""

import ast

import pytest

from postproof.core.errors import PostproofError
from postproof.errors import described_tests
from postproof.errors.settings import Handlers

SETTINGS = Handlers(user_id=7)
CODE = """
class Base(Exception):
    def __init__(self, message, cause=None):
        super().__init__(message, cause)
        self.cause = cause
        if cause:
            raise ValueError("no")
    def status(self):
        return 404
    def known(self):
        return True
    def text(self):
        return str(self)
class Child(ApplicationError):
    pass
"""


def broken(code: str) -> dict[str, list[str]]:
    """By rule, the mutants of the code as text."""
    found: dict[str, list[str]] = {}
    for mutant in described_tests.mutants(ast.parse(code)):
        found.setdefault(mutant.rule, []).append(ast.unparse(ast.fix_missing_locations(mutant.tree)))
    return found


def test_each_rule_breaks_one_line_and_each_mutant_is_another_program():
    whole = ast.unparse(ast.parse(CODE)).splitlines()
    found = broken(CODE)
    assert set(found) == set(described_tests.RULES)
    for texts in found.values():
        for text in texts:
            lines = text.splitlines()
            assert len(lines) == len(whole) and sum(a != b for a, b in zip(lines, whole)) == 1
    everything = [text for texts in found.values() for text in texts]
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize(
    "rule, line",
    [
        ("answer_turned", "return False"),
        ("answer_lost", "return None"),
        ("status_changed", "return 405"),
        ("condition_turned", "if not cause:"),
        ("base_changed", "class Child(Exception):"),
        ("arguments_lost", "super().__init__(message)"),
        ("message_lost", "super().__init__('', cause)"),
    ],
)
def test_a_rule_breaks_what_it_says(rule, line):
    assert any(line in (part.strip() for part in text.splitlines()) for text in broken(CODE)[rule])


def test_code_without_a_place_for_a_rule_has_no_mutant():
    assert broken("x = 1\ny = x < 2") == {}


def test_all_tests_pass_on_the_code_as_it_is_and_one_fails_where_a_raise_is_lost():
    whole = {name: described_tests.tree_of(getattr(described_tests, name)) for name in ("exceptions", "result", "app")}
    assert described_tests.failing(whole, SETTINGS) == set()
    lost = next(one for one in described_tests.mutants(whole["result"]) if one.rule == "raise_lost")
    assert described_tests.failing(whole | {"result": lost.tree}, SETTINGS) == {"test_a_success"}


def test_a_module_that_cannot_be_run_fails_every_test():
    whole = {name: described_tests.tree_of(getattr(described_tests, name)) for name in ("exceptions", "result", "app")}
    assert len(described_tests.failing(whole | {"result": ast.parse("1 / 0")}, SETTINGS)) == 6


def test_pytest_is_counted(tmp_path):
    (tmp_path / "test_some.py").write_text("def test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pass\n")
    (tmp_path / "test_none.py").write_text("import nowhere_to_be_found\n")
    assert described_tests.counted(tmp_path) == {"tests": 3, "passed": 2, "failed": 1, "not_collected": 1}


def test_a_caller_s_own_settings_of_pytest_change_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k nothing_at_all --no-such-option")
    (tmp_path / "test_some.py").write_text("def test_a(): pass\n")
    assert described_tests.counted(tmp_path)["passed"] == 1


def test_a_pytest_that_does_not_run_is_an_error(tmp_path, monkeypatch):
    for executable in ("/bin/false", "/no/such/python"):
        monkeypatch.setattr(described_tests.sys, "executable", executable)
        with pytest.raises(PostproofError, match="pytest did not run"):
            described_tests.counted(tmp_path)


def test_the_tests_as_posted_are_these_without_one_import():
    posted, whole = (
        ast.unparse(tree)
        for tree in (
            described_tests.without_result(described_tests.tree_of(described_tests.checks)),
            described_tests.tree_of(described_tests.checks),
        )
    )
    changed = [(a, b) for a, b in zip(posted.splitlines(), whole.splitlines()) if a != b]
    assert len(changed) == 1 and changed[0][0].endswith("import Failure, Success")
    assert "postproof" not in described_tests.local(posted)
