"""Units and their factors."""

import re
from fractions import Fraction

import numpy as np
import pytest

from postproof.core.units import BASE, COUNTED, LABEL, MULTIPLES, ONE, Unit, UnitError


@pytest.mark.parametrize(
    "text, canonical",
    [("1", "1"), ("bytes", "bytes"), ("tokens*bytes", "bytes*tokens"), ("bytes/heads/tokens", "bytes/heads/tokens"),
     ("1/tokens", "1/tokens"), ("tokens*tokens", "tokens^2"), ("tokens/tokens", "1"), ("s^2/W^3", "s^2/W^3")],
)  # fmt: skip
def test_unit_reads_and_writes(text, canonical):
    assert str(Unit.parse(text)) == canonical
    assert Unit.parse(canonical) == Unit.parse(text)


def test_unit_algebra():
    a, b = Unit.parse("tokens"), Unit.parse("GB")
    assert a / a == ONE
    assert a * b / b == a
    assert (a / b) ** 2 == a * a / (b * b)
    assert a**0 == b**0 == ONE
    assert a ** Fraction(1, 2) * a ** Fraction(1, 2) == a
    with pytest.raises(UnitError, match="no root"):
        b ** Fraction(1, 2)


@pytest.mark.parametrize("text", ["", "bytes s", "2*s", "s**2", "s//W"])
def test_no_unit(text):
    with pytest.raises(UnitError, match="not a unit"):
        Unit.parse(text)


@pytest.mark.parametrize("text", ["byte", "gb", "token", "bytes/token", "FLOP", "share", LABEL])
def test_a_unit_has_one_spelling(text):
    with pytest.raises(UnitError, match="unknown unit"):
        Unit.parse(text)


@pytest.mark.parametrize(
    "one, is_, of",
    [("GB", 10**9, "bytes"), ("GiB", 2**30, "bytes"), ("%", Fraction(1, 100), "1"), ("kB/tokens", 1000, "bytes/tokens"),
     ("TFLOPs/s", 10**12, "FLOPs/s"), ("1/ms", 1000, "1/s"), ("min", 60, "s"), ("GB/kB", 10**6, "1")],
)  # fmt: skip
def test_factors(one, is_, of):
    unit = Unit.parse(one)
    assert unit.factor == is_ and unit.base == Unit.parse(of) and unit.same_dimension(Unit.parse(of))
    amounts = np.array([0.0, 1.25, 312.0, -3.5])
    np.testing.assert_allclose(unit.in_base(amounts), amounts * float(is_), rtol=1e-15)
    np.testing.assert_allclose(unit.from_base(unit.in_base(amounts)), amounts, rtol=1e-15)


def test_what_is_counted():
    assert Unit.parse("experts").counts
    assert not any(Unit.parse(text).counts for text in ("1", "nats", "experts^2", "experts/tokens", "1/experts"))


def test_symbols_are_listed_once_in_order():
    symbols = [*BASE, *MULTIPLES]
    assert len(set(symbols)) == len(symbols) and LABEL not in symbols
    assert COUNTED == sorted(COUNTED, key=str.lower)
    assert all(re.fullmatch(r"[A-Za-z_]+|%", symbol) for symbol in symbols)
    assert all(of in BASE or of == "1" for of, _ in MULTIPLES.values())
