"""The rules that decide a claim: each compares the posted figure with what we get, and says why in a line.

A posted figure is a Decimal with the digits typed, so its precision is known. What we get is a quantity in the
figure's unit. A rule for one value takes a value per seed only when all seeds agree, as counts do.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import numpy as np

from postproof.claims.quantity import Quantity, plain
from postproof.claims.strict import one_of, shown, text
from postproof.errors import ClaimError

CODE = "src/postproof/claims/rules.py"

COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
DIRECTIONS = {
    "increasing": np.greater, "decreasing": np.less,
    "not increasing": np.less_equal, "not decreasing": np.greater_equal,
}  # fmt: skip
_ENOUGH_DIGITS = Context(prec=700)  # a float64 written out has fewer


@dataclass(frozen=True)
class Outcome:
    """Whether the claim holds, and why; None when the runs are too few to tell. `spread` is `single_run_spread`'s."""

    holds: bool | None
    reason: str
    spread: dict[str, Any] | None = None


def exact(posted: Decimal, got: Quantity) -> Outcome:
    """The same number."""
    value = one_value(got)
    return Outcome(value == posted, f"we get {shown_number(value)}")


def rounded(posted: Decimal, got: Quantity) -> Outcome:
    """The same number once ours has as many digits as the posted one, ties to the even digit."""
    value = one_value(got)
    short = round_like(value, posted)
    return Outcome(short == posted, f"{shown_number(value)} rounds to {_figure(short)}")


def relative(posted: Decimal, got: Quantity, tolerance: Decimal) -> Outcome:
    """Off by at most `tolerance` times the posted value."""
    value = one_value(got)
    off = abs(value - posted)
    percent = f"{float(off / abs(posted)):.3%}" if posted else shown_number(off)
    return Outcome(off <= tolerance * abs(posted), f"off by {percent}; {float(tolerance):.3%} is allowed")


def inequality(posted: Decimal, got: Quantity, op: str) -> Outcome:
    """What we get is less than (and so on) the posted bound."""
    value = one_value(got)
    holds = COMPARISONS[op](value, posted)
    return Outcome(holds, f"{shown_number(value)} {op} {_figure(posted)} is {str(holds).lower()}")


def statement(posted: None, got: Quantity) -> Outcome:
    """True; of runs, true in every one."""
    return _in_every_run(got.truth(), "true")


def monotonic(posted: None, got: Quantity, direction: str) -> Outcome:
    """Goes one way from each checkpoint to the next, in every run; false counts as 0, true as 1."""
    if got.axes[-1:] != ("checkpoint",):
        raise ClaimError("monotonic needs a value per checkpoint", value=got.shape)
    data = got.data.astype(np.float64)
    steps = DIRECTIONS[direction](data[..., 1:], data[..., :-1])
    return _in_every_run(Quantity(steps.all(axis=-1), axes=got.axes[:-1], seeds=got.seeds), direction)


def ordering(posted: None, got: list[Quantity], ascending: Any) -> Outcome:
    """Each value is greater than the one before, in every run."""
    links = [np.less(first.data, second.data) for first, second in zip(got, got[1:])]
    return _in_every_run(Quantity(np.logical_and.reduce(links), axes=got[0].axes, seeds=got[0].seeds), "ascending")


def single_run_spread(posted: Decimal, got: Quantity, level: Decimal) -> Outcome:
    """The posted run could be one more of ours: it lies inside the prediction interval of one further run.

    For n runs that are normally distributed about an unknown mean with an unknown deviation, a further run lies within
    mean +- t s sqrt(1 + 1/n) with probability `level`; t is Student's quantile with n - 1 degrees of freedom, s the
    sample deviation. Left out: that a few runs cannot show whether they are normally distributed.
    """
    from scipy import stats

    if got.number().axes != ("seed",):
        raise ClaimError("single_run_spread needs one value per seed", value=got.shape)
    n = len(got.seeds)
    if n < 3:
        return Outcome(None, f"three seeds at least; there are {n}")
    mean, deviation = float(np.mean(got.data)), float(np.std(got.data, ddof=1))
    reach = float(stats.t.ppf((1 + float(level)) / 2, n - 1)) * deviation * (1 + 1 / n) ** 0.5
    low, high = mean - reach, mean + reach
    holds = low <= float(posted) <= high
    spread = {"n": n, "seeds": list(got.seeds), "values": got.data, "mean": mean, "sd": deviation}
    spread |= {"level": float(level), "interval": [low, high]}
    side = "lies inside" if holds else "lies outside"
    reason = f"{side} {low:.6g} to {high:.6g}, where {float(level) * 100:g} % of further runs like our {n} fall"
    return Outcome(holds, reason, {key: _json(value) for key, value in spread.items()})


def same_as(posted: Decimal, got: Decimal, claim: str) -> Outcome:
    """The coarser of two posted figures is the finer one rounded."""
    finer, coarser = sorted((posted, got), key=lambda figure: figure.as_tuple().exponent)
    short = round_like(finer, coarser)
    return Outcome(short == coarser, f"{_figure(finer)} rounds to {_figure(short)}; the coarser is {_figure(coarser)}")


def one_value(got: Quantity) -> Decimal:
    """The one number of `got`, exactly.

    Raises ClaimError when runs differ: a rule for one value cannot choose among them.
    """
    values = np.unique(got.number().data)
    if "checkpoint" in got.axes or len(values) > 1:
        allowed = "mean(...), at_seed(..., 7), last(...), or the rule single_run_spread"
        raise ClaimError("this rule compares one value", value=got.shape, allowed=allowed)
    return Decimal(repr(float(values[0])))


def round_like(value: Decimal, figure: Decimal) -> Decimal:
    """`value` with the last digit where `figure` has it: 25.307996 like 25.31, 207920037888 like 2.08e11."""
    return value.quantize(figure, rounding=ROUND_HALF_EVEN, context=_ENOUGH_DIGITS)


def shown_number(value: Decimal) -> str:
    return str(plain(value))


def _figure(value: Decimal) -> str:
    """With the digits it has: 2.08e11, 25.30, 768."""
    return f"{value:f}" if value.as_tuple().exponent <= 0 else str(value).replace("E+", "e")


def _in_every_run(truths: Quantity, word: str) -> Outcome:
    if truths.axes not in ((), ("seed",)):
        raise ClaimError("one truth per run is needed", value=truths.shape, allowed="all(...), any(...) or last(...)")
    holds = bool(truths.data.all())
    if not truths.axes:
        return Outcome(holds, word if holds else f"not so: {word}")
    return Outcome(holds, f"{word} in {int(truths.data.sum())} of {len(truths.seeds)} runs")


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


def _word(allowed: Mapping[str, Any], kind: str) -> Callable[[Any], str]:
    return lambda value: one_of(value, allowed, kind)


def _list(value: Any) -> list:
    if not isinstance(value, list) or len(value) < 2:
        raise ClaimError("not a list of two or more expressions", value=shown(value))
    return value


@dataclass(frozen=True)
class Rule:
    """How a rule decides, how each of its options is read, and what a claim under it gives.

    `figure`: the claim posts a number rather than `true`. `source` is where "what we get" comes from: the claim's own
    `got`, the expressions of the option, or the posted figure of the claim that the option names.
    """

    decide: Callable[..., Outcome]
    figure: bool
    options: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    source: str = "got"


RULES = {
    "exact": Rule(exact, figure=True),
    "rounded": Rule(rounded, figure=True),
    "relative": Rule(relative, figure=True, options={"tolerance": _number(0, 1)}),
    "inequality": Rule(inequality, figure=True, options={"op": _word(COMPARISONS, "comparison")}),
    "single_run_spread": Rule(single_run_spread, figure=True, options={"level": _number(0, 1)}),
    "same_as": Rule(same_as, figure=True, options={"claim": text}, source="claim"),
    "statement": Rule(statement, figure=False),
    "monotonic": Rule(monotonic, figure=False, options={"direction": _word(DIRECTIONS, "direction")}),
    "ordering": Rule(ordering, figure=False, options={"ascending": _list}, source="ascending"),
}
