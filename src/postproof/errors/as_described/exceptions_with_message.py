"""The described hierarchy with one thing added that its handlers need: `message`, which is what `str` gives."""

from __future__ import annotations

from postproof.errors.as_described import exceptions as described


class ApplicationError(described.ApplicationError):
    @property
    def message(self) -> str:
        return str(self)


class DatabaseError(described.DatabaseError, ApplicationError):
    pass


class ValidationError(described.ValidationError, ApplicationError):
    pass


class AuthenticationError(described.AuthenticationError, ApplicationError):
    pass


class ExternalServiceError(described.ExternalServiceError, ApplicationError):
    pass
