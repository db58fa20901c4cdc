"""The tests that the post describes, in our words, with the functions that they test.

The post imports neither `Result`, which an annotation names, nor anything of a package: `described_tests` makes that of
this module before pytest collects it.
"""

import pytest

from postproof.errors.as_described.exceptions import DatabaseError, ValidationError
from postproof.errors.as_described.result import Failure, Result, Success


def validate_email(email: str | None) -> None:
    if not email or "@" not in email:
        raise ValidationError(field="email", value=email)


def might_fail_db() -> None:
    raise DatabaseError("Connection failed")


def process_data_result(data: dict) -> Result[str, str]:
    if data.get("valid"):
        return Success("Processed successfully")
    return Failure("Invalid data provided")


def test_an_invalid_address_is_refused():
    with pytest.raises(ValidationError) as caught:
        validate_email("invalid-email")
    assert caught.value.field == "email"
    assert caught.value.value == "invalid-email"
    with pytest.raises(ValidationError):
        validate_email(None)


def test_a_valid_address_passes():
    try:
        validate_email("test@example.com")
    except ValidationError:
        pytest.fail("a valid address was refused")


def test_the_database_fails():
    with pytest.raises(DatabaseError):
        might_fail_db()


def test_a_success():
    result = process_data_result({"valid": True})
    assert result.is_success()
    assert not result.is_failure()
    assert result.get_value() == "Processed successfully"
    with pytest.raises(ValueError):
        result.get_error()


def test_a_failure():
    result = process_data_result({"valid": False})
    assert not result.is_success()
    assert result.is_failure()
    assert result.get_error() == "Invalid data provided"
    with pytest.raises(ValueError):
        result.get_value()
