"""The rules that decide a claim: each compares the posted number with what we get, and says why in a line.

A posted number is a Decimal with the digits typed, so its precision is known. What we get is a quantity in the
claim's unit. A rule for one value takes a value per seed only when all seeds agree, as counts do.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import numpy as np

from postproof.claims.digits import in_digits
from postproof.claims.quantity import CHECKPOINT, ROW, SEED, Quantity, plain
from postproof.claims.strict import one_of, shown, text
from postproof.core.errors import ClaimError

COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
DIRECTIONS = {
    "increasing": np.greater, "decreasing": np.less,
    "not increasing": np.less_equal, "not decreasing": np.greater_equal,
}  # fmt: skip
FEWEST_RUNS = 3  # of which an interval is computed
_ENOUGH_DIGITS = Context(prec=700)  # a float64 written out has fewer


@dataclass(frozen=True)
class Outcome:
    """Whether the claim holds, and why; None when the runs allow both. `spread` is that of `difference`."""

    holds: bool | None
    reason: str
    spread: dict[str, Any] | None = None


def exact(posted: Decimal, got: Quantity) -> Outcome:
    """The same number."""
    value = one_value(got)
    return Outcome(value == posted, f"we get {shown_number(value)}")


def rounded(posted: Decimal, got: Quantity) -> Outcome:
    """The same number once ours has as many digits as the posted one; a tie may go either way."""
    value = one_value(got)
    short = round_like(value, posted)
    if short != posted and _is_tie(value, posted):
        return Outcome(True, f"{shown_number(value)} is a tie, and rounds to {_typed(posted)} too")
    cut = value.quantize(posted, rounding=ROUND_DOWN, context=_ENOUGH_DIGITS)
    hint = "; cut off it would be the posted one" if short != posted == cut else ""
    return Outcome(short == posted, f"{shown_number(value)} rounds to {_typed(short)}{hint}")


def _is_tie(value: Decimal, posted: Decimal) -> bool:
    """Whether `value` lies just between the posted number and a neighbour with its digits, but for float64's error."""
    half_digit = Decimal(5).scaleb(posted.as_tuple().exponent - 1)
    return math.isclose(abs(value - posted), half_digit, rel_tol=1e-9)


def relative(posted: Decimal, got: Quantity, tolerance: Decimal) -> Outcome:
    """Off by at most `tolerance` times the posted value."""
    value = one_value(got)
    off = abs(value - posted)
    percent = float(100 * off / abs(posted)) if posted else 0.0
    by = f"{percent:.2g} %" if percent < 10 else f"{percent:,.0f} %"
    by = by if posted else shown_number(off)
    return Outcome(off <= tolerance * abs(posted), f"off by {by}; {float(100 * tolerance):g} % is allowed")


def inequality(posted: Decimal, got: Quantity, op: str) -> Outcome:
    """What we get is less than (and so on) the posted bound."""
    value = one_value(got)
    holds = COMPARISONS[op](value, posted)
    return Outcome(holds, f"{shown_number(value)} {op} {_typed(posted)} is {str(holds).lower()}")


def statement(posted: None, got: Quantity) -> Outcome:
    """True; of runs, true in every one, and undecided where it is in some only."""
    return _in_every_run(got.truth(), "true")


def monotonic(posted: None, got: Quantity, direction: str) -> Outcome:
    """Goes one way from each checkpoint or row to the next, in every run; false counts as 0, true as 1."""
    if got.axes[-1:] not in ((CHECKPOINT,), (ROW,)):
        raise ClaimError("monotonic needs a value per checkpoint or row", value=got.shape)
    data = got.data.astype(np.float64)
    steps = DIRECTIONS[direction](data[..., 1:], data[..., :-1])
    return _in_every_run(Quantity(steps.all(axis=-1), axes=got.axes[:-1], seeds=got.seeds), direction)


def ordering(posted: None, got: list[Quantity], ascending: Any) -> Outcome:
    """Each value is greater than the one before, in every run."""
    links = [np.less(first.data, second.data) for first, second in zip(got, got[1:])]
    return _in_every_run(Quantity(np.logical_and.reduce(links), axes=got[0].axes, seeds=got[0].seeds), "ascending")


def difference(posted: None, got: Quantity, op: str, level: Decimal) -> Outcome:
    """What is got of each run is above 0 (or below) in the mean over runs; undecided where the interval has both signs.

    For n runs that are normally distributed, mean +- t s / sqrt(n) covers the expected value with probability `level`;
    t is Student's quantile with n - 1 degrees of freedom, s the sample deviation. Left out: that a few runs cannot show
    whether they are normally distributed. Near a bound differences are skewed, and five of them are covered in 93 of
    100 cases instead of 95; the logarithm of a ratio of distances to the bound is not.
    """
    from scipy import stats

    if got.number().axes != (SEED,):
        raise ClaimError("difference needs one value per seed", value=got.shape)
    n = len(got.seeds)
    if n < FEWEST_RUNS:
        return Outcome(None, f"{FEWEST_RUNS} runs at least; there are {n}")
    mean, deviation = float(np.mean(got.data)), float(np.std(got.data, ddof=1))
    reach = float(stats.t.ppf((1 + float(level)) / 2, n - 1)) * deviation / n**0.5
    low, high = mean - reach, mean + reach
    spread = {"n": n, "seeds": list(got.seeds), "values": got.data, "mean": mean, "sd": deviation}
    spread |= {"level": float(level), "interval": [low, high]}
    spread = {key: _json(value) for key, value in spread.items()}
    mean_text, *bounds = (in_digits(float(value), 3) for value in (mean, low, high))
    words = f"in the mean of {n} runs {mean_text} ({' to '.join(bounds)}, {float(level) * 100:g} % interval)"
    if low <= 0 <= high:
        return Outcome(None, f"{words}: both signs are possible", spread)
    holds = (low > 0) == (op == ">")
    return Outcome(holds, f"{words}: {'above' if low > 0 else 'below'} 0", spread)


def same_as(posted: Decimal, got: Decimal, claim: str) -> Outcome:
    """The coarser of two posted numbers is the finer one rounded; a tie may go either way."""
    finer, coarser = sorted((posted, got), key=lambda number: number.as_tuple().exponent)
    short = round_like(finer, coarser)
    holds = short == coarser or _is_tie(finer, coarser)
    return Outcome(holds, f"{_typed(finer)} rounds to {_typed(coarser if holds else short)}"
                          + ("" if holds else f", not {_typed(coarser)}"))  # fmt: skip


def one_value(got: Quantity) -> Decimal:
    """The one number of `got`, to 15 digits unless it is a whole one.

    Raises ClaimError when runs differ: a rule for one value cannot choose among them.
    """
    values = np.unique(got.number().data)
    if set(got.axes) - {SEED} or len(values) > 1:
        allowed = "mean(...), at_seed(..., 7) or last(...)"
        raise ClaimError("this rule compares one value", value=got.shape, allowed=allowed)
    value = float(values[0])
    # A unit's factor leaves an error in the last place: 7 % is 7.000000000000001 hundredths.
    return Decimal(repr(value) if value.is_integer() else f"{value:.15g}")


def round_like(value: Decimal, posted: Decimal) -> Decimal:
    """`value` with the last digit where `posted` has it: 25.307996 like 25.31, 207920037888 like 2.08e11."""
    return value.quantize(posted, rounding=ROUND_HALF_EVEN, context=_ENOUGH_DIGITS)


def shown_number(value: Decimal) -> str:
    return str(plain(value))


def _typed(value: Decimal) -> str:
    """With the digits it has: 2.08e11, 25.30, 768."""
    return f"{value:f}" if value.as_tuple().exponent <= 0 else str(value).replace("E+", "e")


def _in_every_run(truths: Quantity, word: str) -> Outcome:
    """`word` says what is true when they are. True in some runs and false in others decides nothing."""
    if truths.axes not in ((), (SEED,)):
        raise ClaimError("one truth per run is needed", value=truths.shape, allowed="all(...), any(...) or last(...)")
    holds = bool(truths.data.all())
    if not truths.axes:
        return Outcome(holds, word if holds else "false" if word == "true" else f"not {word}")
    some = bool(truths.data.any()) and not holds
    return Outcome(None if some else holds, f"{word} in {int(truths.data.sum())} of {len(truths.seeds)} runs")


def _json(value: Any) -> Any:
    return value if isinstance(value, int) else plain(np.asarray(value))


def _number(low: float, high: float) -> Callable[[Any], Decimal]:
    def parse(value: Any) -> Decimal:
        try:
            number = Decimal(text(value))
        except ArithmeticError as error:
            raise ClaimError("not a number", value=shown(value)) from error
        if not number.is_finite() or not low < number < high:
            raise ClaimError("out of range", value=shown(value), allowed=f"between {low:g} and {high:g}")
        return number

    return parse


def _word(allowed: Collection[str], kind: str) -> Callable[[Any], str]:
    return lambda value: one_of(value, allowed, kind)


def _list(value: Any) -> list:
    if not isinstance(value, list) or len(value) < 2:
        raise ClaimError("not a list of two or more expressions", value=shown(value))
    return value


@dataclass(frozen=True)
class Rule:
    """How a rule decides, how each of its options is read, and what a claim under it gives.

    `number`: the claim posts a number rather than `true`. `source` is where "what we get" comes from: the claim's own
    `got`, the expressions of the option, or the posted number of the claim that the option names.
    """

    decide: Callable[..., Outcome]
    number: bool
    options: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    source: str = "got"

    @property
    def code(self) -> str:
        """Where it stands."""
        return f"src/{self.decide.__module__.replace('.', '/')}.py: {self.decide.__name__}"


RULES = {
    "exact": Rule(exact, number=True),
    "rounded": Rule(rounded, number=True),
    "relative": Rule(relative, number=True, options={"tolerance": _number(0, 1)}),
    "inequality": Rule(inequality, number=True, options={"op": _word(COMPARISONS, "comparison")}),
    "same_as": Rule(same_as, number=True, options={"claim": text}, source="claim"),
    "statement": Rule(statement, number=False),
    "difference": Rule(difference, number=False, options={"op": _word((">", "<"), "sign"), "level": _number(0, 1)}),
    "monotonic": Rule(monotonic, number=False, options={"direction": _word(DIRECTIONS, "direction")}),
    "ordering": Rule(ordering, number=False, options={"ascending": _list}, source="ascending"),
}
