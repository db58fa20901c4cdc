"""The Result that the post describes: two classes that answer the same four questions. Words ours.

Runs on any CPython from 3.8 on: the clocks use it as well.
"""

from typing import Generic, TypeVar, Union

T = TypeVar("T")
E = TypeVar("E")


class Success(Generic[T]):
    def __init__(self, value: T):
        self._value = value

    def is_success(self) -> bool:
        return True

    def is_failure(self) -> bool:
        return False

    def get_value(self) -> T:
        return self._value

    def get_error(self) -> None:
        raise ValueError("Cannot get error from Success")


class Failure(Generic[E]):
    def __init__(self, error: E):
        self._error = error

    def is_success(self) -> bool:
        return False

    def is_failure(self) -> bool:
        return True

    def get_value(self) -> None:
        raise ValueError("Cannot get value from Failure")

    def get_error(self) -> E:
        return self._error


Result = Union[Success[T], Failure[E]]  # noqa: UP007  as described, and for older interpreters
