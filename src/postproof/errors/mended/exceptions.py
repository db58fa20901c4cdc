"""The hierarchy mended: a `message`, a context of its own, Python's own cause, and the status that each kind means.

A cause is given by `raise ... from cause`, or as `cause`, where the error is made but not raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOT_GIVEN = object()  # None is a value that a field can have


class ApplicationError(Exception):
    """Base of all errors of the application. `public` is what a client may read."""

    status = 500
    code = "application_error"
    public = "The request could not be completed."

    def __init__(self, message: str = "", *, cause: BaseException | None = None, context: Mapping[str, Any] = {}):
        self.message = message or self.public
        super().__init__(self.message)
        self.context = dict(context)
        self.__cause__ = cause

    def __reduce__(self):
        """Python's own would call the class with the message alone, and lose the cause."""
        return _restore, (type(self), self.args, self.__dict__, self.__cause__)


def _restore(kind: type[ApplicationError], args: tuple, state: dict, cause: BaseException | None) -> ApplicationError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    error.__cause__ = cause
    return error


class DatabaseError(ApplicationError):
    code = "database_error"
    public = "A database error occurred. Please try again later."


class ValidationError(ApplicationError):
    """A value of a field is not valid. The value goes to the log, not to the client. Field and value may be falsy."""

    status = 400
    code = "validation_error"
    public = "Validation failed."

    def __init__(
        self,
        message: str = "",
        *,
        field: str | None = None,
        value: Any = NOT_GIVEN,
        cause: BaseException | None = None,
        context: Mapping[str, Any] = {},
    ):
        given = {} if field is None else {"field": field}
        given |= {} if value is NOT_GIVEN else {"invalid_value": value}
        super().__init__(message, cause=cause, context={**context, **given})
        self.field = field
        self.value = None if value is NOT_GIVEN else value


class AuthenticationError(ApplicationError):
    status = 401
    code = "authentication_error"
    public = "Authentication is required."


class ExternalServiceError(ApplicationError):
    code = "external_service_error"
    public = "A service that is needed did not answer."

    def __init__(
        self,
        message: str = "",
        *,
        service_name: str | None = None,
        cause: BaseException | None = None,
        context: Mapping[str, Any] = {},
    ):
        given = {} if service_name is None else {"service_name": service_name}
        super().__init__(message, cause=cause, context={**context, **given})
        self.service_name = service_name
