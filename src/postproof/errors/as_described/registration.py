"""The example that the post gives of a caller of its Result: it reads `message` of the error that it was handed."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from postproof.errors.as_described.result import Failure, Success


def validate_user_data(data: dict[str, Any], errors: ModuleType) -> Success | Failure:
    email = data.get("email")
    if not email or "@" not in email:
        return Failure(errors.ValidationError(field="email", value=email, message="Invalid email format"))
    return Success(data)


def process_registration(data: dict[str, Any], errors: ModuleType, user_id: int) -> dict[str, Any]:
    """Raises AttributeError for invalid data when the errors have no `message`."""
    result = validate_user_data(data, errors)
    if result.is_failure():
        error = result.get_error()
        return {"status": "error", "message": f"Validation failed: {error.message}"}
    return {"status": "success", "user_id": user_id}
