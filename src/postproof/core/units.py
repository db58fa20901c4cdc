"""Units of tables and claims: products of powers of known symbols, with factors where one unit is made of another.

`FLOPs/steps` is {FLOPs: 1, steps: -1}; `GB` is 10^9 bytes and `GiB` 2^30 bytes, so a column of bytes answers a claim in
either. Each unit has one spelling, in the plural: a symbol that is not listed here is an error, not a new unit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from postproof.core.errors import UnitError

LABEL = "label"  # in place of a unit: the column names rows (an arm, a protocol, a seed) and is no quantity
PERCENT = "%"

# What is counted: nothing converts one into another.
COUNTED = """
    arrows bytes choices cycles devices draws elements experts features FLOPs heads keys layers lines matrices numbers
    pairs parameters points positions queries runs seeds sentences sequences states steps tensors tokens turns users
    words
""".split()
# Other quantities. `year` is a date; perplexity is exp(nats), which is no factor.
QUANTITIES = ["nats", "perplexity", "rad", "s", "ulp", "W", "year"]
# symbol: (of which unit, how many of it)
MULTIPLES = {
    PERCENT: ("1", Fraction(1, 100)),
    "kB": ("bytes", Fraction(10**3)), "MB": ("bytes", Fraction(10**6)),
    "GB": ("bytes", Fraction(10**9)), "TB": ("bytes", Fraction(10**12)),
    "KiB": ("bytes", Fraction(2**10)), "MiB": ("bytes", Fraction(2**20)),
    "GiB": ("bytes", Fraction(2**30)), "TiB": ("bytes", Fraction(2**40)),
    "GFLOPs": ("FLOPs", Fraction(10**9)), "TFLOPs": ("FLOPs", Fraction(10**12)),
    "ms": ("s", Fraction(1, 1000)), "min": ("s", Fraction(60)),
}  # fmt: skip
BASE = frozenset([*COUNTED, *QUANTITIES])

_FACTOR = re.compile(r"(?P<symbol>[A-Za-z_]+|%)(\^(?P<power>-?\d+))?|1")


@dataclass(frozen=True)
class Unit:
    """Immutable. `powers` are of base units; `factor` is how many of their product one of this unit is."""

    powers: dict[str, Fraction] = field(default_factory=dict)
    factor: Fraction = Fraction(1)

    @classmethod
    def parse(cls, text: str) -> Unit:
        """Reads `a`, `a*b`, `a/b/c`, `a^2`, `1/a`, `1`, `%`. Raises UnitError for anything else."""
        unit = cls()
        for position, part in enumerate(text.split("/")):
            for factor in part.split("*"):
                match = _FACTOR.fullmatch(factor.strip())
                if not match:
                    raise UnitError("not a unit", value=text, allowed="1, a symbol, a*b, a/b, a^2, %")
                if match["symbol"]:
                    symbol = _known(match["symbol"], text) ** int(match["power"] or 1)
                    unit = unit / symbol if position else unit * symbol
        return unit

    @property
    def base(self) -> Unit:
        """The same dimension without a factor: what GB and GiB have in common."""
        return Unit(self.powers)

    @property
    def counts(self) -> bool:
        """Whether it is one kind of thing that is counted: experts, not experts^2 or experts/tokens."""
        return len(self.powers) == 1 and all(symbol in COUNTED and n == 1 for symbol, n in self.powers.items())

    def same_dimension(self, other: Unit) -> bool:
        return self.powers == other.powers

    def in_base(self, amount: Any) -> Any:
        """An amount of this unit (a float or an array) in its base unit."""
        return amount * float(self.factor.numerator) / float(self.factor.denominator)

    def from_base(self, amount: Any) -> Any:
        """An amount of the base unit in this unit."""
        return amount * float(self.factor.denominator) / float(self.factor.numerator)

    def __mul__(self, other: Unit) -> Unit:
        symbols = {**self.powers, **other.powers}
        sums = {symbol: self.powers.get(symbol, 0) + other.powers.get(symbol, 0) for symbol in symbols}
        return Unit({symbol: power for symbol, power in sums.items() if power}, self.factor * other.factor)

    def __truediv__(self, other: Unit) -> Unit:
        return self * other**-1

    def __pow__(self, exponent: int | Fraction) -> Unit:
        powers = {symbol: power * exponent for symbol, power in self.powers.items() if exponent}
        if self.factor == 1:
            return Unit(powers)
        if Fraction(exponent).denominator != 1:
            raise UnitError("no root of a unit with a factor", value=self, allowed="take the base unit first")
        return Unit(powers, self.factor ** int(exponent))

    def __str__(self) -> str:
        def factors(sign: int) -> list[str]:
            powers = sorted((symbol, power * sign) for symbol, power in self.powers.items() if power * sign > 0)
            return [symbol if power == 1 else f"{symbol}^{power}" for symbol, power in powers]

        text = "/".join(["*".join(factors(1)) or "1", *factors(-1)])
        return text if self.factor == 1 else f"{float(self.factor):g} {text}"


def _known(symbol: str, text: str) -> Unit:
    if symbol in BASE:
        return Unit({symbol: Fraction(1)})
    if symbol in MULTIPLES:
        of, how_many = MULTIPLES[symbol]
        return Unit({} if of == "1" else {of: Fraction(1)}, how_many)
    raise UnitError("unknown unit", value=text, symbol=symbol, allowed=", ".join([*sorted(BASE), *MULTIPLES]))


ONE = Unit()
