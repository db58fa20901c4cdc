"""What lies below the service: a database that fails as it is told, and the errors of its driver."""

from __future__ import annotations


class DriverError(Exception):
    """The database cannot be reached."""


class DriverBusy(DriverError):
    """Not now: the same call may succeed if made again."""


class World:
    """A driver that knows neither user nor query. `failure`: `database_down`, `busy_once`, or what is not its own."""

    def __init__(self, failure: str):
        self.failure = failure
        self.calls = 0

    def execute(self, query: str, values: tuple) -> int:
        """The id of the row. Raises DriverError, or DriverBusy on the first call."""
        self.calls += 1
        if self.failure == "database_down":
            raise DriverError("connection refused")
        if self.failure == "busy_once" and self.calls == 1:
            raise DriverBusy("database is locked")
        return self.calls
