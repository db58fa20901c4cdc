"""The hierarchy that the post describes: a base with an original exception and a context, and four kinds below it.

Behaviour as described, words ours. In particular the base sets no `message`, and a cause is an attribute of ours, not
Python's own. Runs on any CPython from 3.8 on: the clocks use it as well.
"""


class ApplicationError(Exception):
    """Base of all errors of the application."""

    def __init__(self, message="An application error occurred.", original_exception=None, context=None):
        super().__init__(message)
        self.original_exception = original_exception
        self.context = context or {}


class DatabaseError(ApplicationError):
    """The database could not do what it was asked."""

    def __init__(self, message="Database operation failed.", original_exception=None, context=None):
        super().__init__(message, original_exception, context)


class ValidationError(ApplicationError):
    """A value of a field is not valid. It takes no original exception."""

    def __init__(self, message="Validation failed.", field=None, value=None, context=None):
        super().__init__(message, context=context)
        self.field = field
        self.value = value
        if field:
            self.context["field"] = field
        if value is not None:
            self.context["invalid_value"] = value


class AuthenticationError(ApplicationError):
    """Who asks is unknown, or may not do that."""


class ExternalServiceError(ApplicationError):
    """Another service did not answer as it should."""

    def __init__(
        self,
        message="External service communication failed.",
        service_name=None,
        original_exception=None,
        context=None,
    ):
        super().__init__(message, original_exception, context)
        self.service_name = service_name
        if service_name:
            self.context["service_name"] = service_name
