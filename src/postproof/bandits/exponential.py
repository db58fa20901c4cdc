"""e^x from sums and products alone, the same bits on every processor and in compiled and interpreted code.

The C library picks one of several versions of exp by processor, and they may differ in the last bit.
"""

from __future__ import annotations

import math

import numba
import numpy as np

# x = n ln 2 + r with |r| <= ln(2) / 2. The upper part of ln 2 has 20 zero bits at its end: n times it is exact.
LOG2_E = 1.4426950408889634
LN2_UPPER, LN2_LOWER = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# 1/2! .. 1/13!: the next term is below 1e-17.
C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13 = (1 / math.factorial(i) for i in range(2, 14))
LEAST_POWER = -1021  # of 2, as long as it is no subnormal number
LEAST = -707.0
POWERS = 2.0 ** np.arange(LEAST_POWER, 1)


@numba.njit(inline="always")
def exponential(x: float) -> float:
    """e^x for x <= 0, within two units in the last place; below -707 that of -707, which is 1e-307."""
    x = max(x, LEAST)
    n = math.floor(x * LOG2_E + 0.5)
    r = (x - n * LN2_UPPER) - n * LN2_LOWER
    r2 = r * r
    r4 = r2 * r2
    low = (1.0 + r) + r2 * (C2 + r * C3)
    middle = (C4 + r * C5) + r2 * (C6 + r * C7)
    high = (C8 + r * C9) + r2 * (C10 + r * C11) + r4 * (C12 + r * C13)
    return (low + r4 * (middle + r4 * high)) * POWERS[int(n) - LEAST_POWER]
