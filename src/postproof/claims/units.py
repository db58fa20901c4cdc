"""Units as products of powers of symbols: `FLOPs/steps` is {FLOPs: 1, steps: -1}; `1` is the empty product.

A symbol is a plain word, equal only to itself: nothing here converts seconds to hours, or knows that `step` is `steps`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from postproof.errors import ClaimError

_FACTOR = re.compile(r"(?P<symbol>[A-Za-z_]+)(\^(?P<power>-?\d+))?|1")


@dataclass(frozen=True)
class Unit:
    """Immutable; equal units have equal powers."""

    powers: dict[str, Fraction] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Unit:
        """Reads `a`, `a*b`, `a/b/c`, `a^2`, `1/a`, `1`. Raises ClaimError for anything else."""
        unit = cls()
        for position, part in enumerate(text.split("/")):
            for factor in part.split("*"):
                match = _FACTOR.fullmatch(factor.strip())
                if not match:
                    raise ClaimError("not a unit", value=text, allowed="1, a symbol, a*b, a/b, a^2; % for a claim")
                if match["symbol"]:
                    symbol = cls({match["symbol"]: Fraction(match["power"] or 1)})
                    unit = unit / symbol if position else unit * symbol
        return unit

    def __mul__(self, other: Unit) -> Unit:
        symbols = {**self.powers, **other.powers}
        sums = {symbol: self.powers.get(symbol, 0) + other.powers.get(symbol, 0) for symbol in symbols}
        return Unit({symbol: power for symbol, power in sums.items() if power})

    def __truediv__(self, other: Unit) -> Unit:
        return self * other**-1

    def __pow__(self, exponent: int | Fraction) -> Unit:
        return Unit({symbol: power * exponent for symbol, power in self.powers.items() if exponent})

    def __str__(self) -> str:
        def factors(sign: int) -> list[str]:
            powers = sorted((symbol, power * sign) for symbol, power in self.powers.items() if power * sign > 0)
            return [symbol if power == 1 else f"{symbol}^{power}" for symbol, power in powers]

        return "/".join(["*".join(factors(1)) or "1", *factors(-1)])


ONE = Unit()
