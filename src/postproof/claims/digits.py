"""How a computed number is written in a text."""

from __future__ import annotations

import math

WHOLE = 0  # digits of a count: all that it has


def in_digits(value: float, digits: int) -> str:
    """Significant digits without an exponent where the number is of everyday size, thousands apart.

    Raises ValueError for WHOLE digits of a number that is none.
    """
    if digits == WHOLE:
        if not float(value).is_integer():
            raise ValueError(f"{value} is no whole number")
        return f"{value:,.0f}"
    short = float(f"{value:.{digits}g}")
    if short and not 1e-4 <= abs(short) < 1e15:
        return f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(short)))) if short else 0
    return f"{short:,.{decimals}f}"
