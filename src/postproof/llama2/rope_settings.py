"""What the settings of all rope tables share, checked before any work."""

from __future__ import annotations

import dataclasses

from postproof.errors import ParamsError


@dataclasses.dataclass(frozen=True)
class RopeSettings:
    """The section of the head, and below it, in each command, the table's own."""

    d_head: int
    base: float
    larger_base: float

    @property
    def bases(self) -> tuple[float, float]:
        return self.base, self.larger_base


def add_arguments(parser) -> None:
    parser.add_argument(
        "--settings", nargs="+", required=True, help="params section of the head and that of the table, as JSON"
    )


def check_wholes(least: int, most: int | None = None, **values: int | list[int]) -> None:
    """Each value is a whole number from `least` to `most`, or a list of at least one of them.

    Raises ParamsError naming the first that is not.
    """
    allowed = f"whole numbers from {least} " + ("on" if most is None else f"to {most}")
    for key, value in values.items():
        for number in value if isinstance(value, list) and value else [value]:
            if type(number) is not int or number < least or (most is not None and number > most):
                raise ParamsError("value is not allowed", key=key, value=number, allowed=allowed)
