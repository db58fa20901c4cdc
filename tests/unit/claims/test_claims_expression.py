"""Quantities and the restricted expressions over them."""

from decimal import Decimal

import numpy as np
import pytest

from postproof.claims import expression
from postproof.claims.document import PostedNumber
from postproof.claims.quantity import Quantity, plain, scalar
from postproof.core.errors import ClaimError
from postproof.core.units import Unit

SEEDS = (7, 8, 9)
PERPLEXITY = Unit.parse("perplexity")
VALUES = {
    "dense": Quantity(np.array([[30.0, 28.0], [31.0, 27.0], [29.0, 26.0]]), PERPLEXITY, ("seed", "checkpoint"), SEEDS),
    "moe": Quantity(np.array([[31.0, 21.0], [32.0, 22.0], [28.0, 20.0]]), PERPLEXITY, ("seed", "checkpoint"), SEEDS),
    "other_seeds": Quantity(np.array([1.0, 2.0]), PERPLEXITY, ("seed",), (7, 8)),
    "flops": scalar(24, Unit.parse("FLOPs")),
    "steps": scalar(12, Unit.parse("steps")),
    "loss": scalar(2.0, Unit.parse("nats")),
    "area": scalar(16, Unit.parse("tokens^2")),
    "ratio": scalar(0.25),
    "experts": scalar(8, Unit.parse("experts")),
    "memory": scalar(2, Unit.parse("GiB")),
    "budget": scalar(20, Unit.parse("GB")),
    "rates": Quantity(np.array([3.0, 2.0, 1.0]), axes=("row",)),
    "fewer_rates": Quantity(np.array([3.0, 2.0]), axes=("row",)),
    "course": Quantity(np.array([3.0, 2.0, 1.0]), axes=("checkpoint",)),
}
POSTED = {
    "posted_steps": scalar(25, Unit.parse("steps")),
    "posted_share": PostedNumber("17.09", Decimal("17.09"), "%").quantity(),
}


def compute(text):
    return expression.evaluate(expression.parse(text, VALUES, POSTED), VALUES.__getitem__, POSTED.__getitem__)


@pytest.mark.parametrize(
    "text, value, unit",
    [
        ("1 + 2 * 3 - -4 / 2", 9, "1"),
        ("2 ** 3 ** 2", 512, "1"),
        ("flops / steps", 2, "FLOPs/steps"),
        ("flops / steps * steps", 24, "FLOPs"),
        ("steps / posted(posted_steps)", 0.48, "1"),
        ("steps ** 2", 144, "steps^2"),
        ("sqrt(area)", 4, "tokens"),
        ("exp(loss)", np.exp(2), "perplexity"),
        ("log(exp(loss))", 2, "nats"),
        ("log(exp(ratio))", 0.25, "1"),
        ("log(experts)", np.log(8), "nats"),  # the entropy of an even choice among eight
        ("log(experts) / loss", np.log(8) / 2, "1"),
        ("memory", 2 * 2**30, "bytes"),  # held in the base unit, whatever it was read in
        ("budget - memory", 20e9 - 2**31, "bytes"),
        ("posted(posted_share) + 1", 1.1709, "1"),
        ("first(rates) / last(rates)", 3, "1"),
        ("sum(rates)", 6, "1"),
        ("abs(-steps)", 12, "steps"),
        ("mean(last(dense))", 27, "perplexity"),
        ("median(first(dense))", 30, "perplexity"),
        ("std(last(dense))", 1, "perplexity"),
        ("min(last(moe)) + max(last(moe))", 42, "perplexity"),
        ("sum(at_seed(dense, 8))", 58, "perplexity"),
        ("last(at_seed(dense, 9))", 26, "perplexity"),
        ("at_seed(last(dense) - last(moe), 7)", 7, "perplexity"),
        ("count(first(moe) > first(dense))", 2, "1"),
        ("count(last(moe))", 3, "1"),
        ("last(dense) / last(dense)", [1, 1, 1], "1"),
        ("mean(dense)", [29, 29, 27.5], "perplexity"),  # checkpoints first, then seeds
        ("mean(mean(dense))", 28.5, "perplexity"),
    ],
)
def test_arithmetic(text, value, unit):
    got = compute(text)
    np.testing.assert_allclose(got.data, value, rtol=1e-15)
    assert str(got.unit) == unit


@pytest.mark.parametrize(
    "text, value",
    [
        ("1 < 2 < 3", True),
        ("1 < 2 > 3", False),
        ("not 1 == 1 or 2 != 3 and 4 >= 4", True),
        ("last(moe) < last(dense)", [True, True, True]),
        ("flops > 0 and 0 < steps and -steps < 0", True),  # 0 compares with any unit
        ("memory < budget", True),
        ("any(rates == 2)", True),
        ("first(moe) > first(dense)", [True, True, False]),
        ("all(moe < dense)", [False, False, True]),
        ("any(all(moe < dense))", True),
        ("moe < last(dense)", [[False, True]] * 3),  # one per seed meets seeds by checkpoints
    ],
)
def test_comparison(text, value):
    assert plain(compute(text).data) == value


@pytest.mark.parametrize(
    "text, message",
    [
        ("flops + steps", "units differ"),
        ("flops < steps", "units differ"),
        ("flops > 1", "units differ"),
        ("flops > 0 * steps", "units differ"),
        ("(1 < 2) > 0", "a number is needed"),
        ("log(area)", "no logarithm"),
        ("log(flops / steps)", "no logarithm"),
        ("rates + fewer_rates", "cannot meet"),
        ("rates + course", "cannot meet"),
        ("last(dense) > 20", "units differ"),
        ("exp(flops)", "no exponential"),
        ("sqrt(flops)", "no square root"),
        ("flops ** 0.5", "whole powers"),
        ("2 ** steps", "exponent"),
        ("last(dense) + other_seeds", "different seeds"),
        ("(1 < 2) + 1", "a number is needed"),
        ("not 1", "a comparison is needed"),
        ("1 and 2", "a comparison is needed"),
        ("all(dense)", "a comparison is needed"),
        ("mean(1)", "nothing to be reduced"),
        ("last(last(dense))", "no checkpoint or row"),
        ("at_seed(dense, 12)", "no run of this seed"),
        ("at_seed(ratio, 7)", "no seed"),
        ("std(last(at_seed(dense, 7)))", "nothing to be reduced"),
        ("1 / 0", "finite"),
        ("log(0)", "finite"),
        ("sqrt(-1)", "finite"),
        ("9 ** 9 ** 9 ** 9", "finite"),
        ("1" + "0" * 400, "too large"),
    ],
)
def test_what_does_not_fit(text, message):
    with pytest.raises(ClaimError, match=message):
        compute(text)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "__import__('os').system('true')", "ratio.data", "dense[0]", "'text'", "b'text'", "True",
        "None", "1j", "lambda: 1", "[1]", "{1: 2}", "(1, 2)", "[x for x in dense]", "ratio if 1 else 2", "f'{ratio}'",
        "(ratio := 1)", "mean(*dense)", "mean(dense, 0)", "mean(axis=0)", "mean()", "exec(ratio)", "dense @ moe",
        "flops // steps", "flops % steps", "~steps", "1 << 9", "flops in steps", "flops is steps", "mean", "posted(1)",
        "posted('posted_steps')", "posted(dense)", "at_seed(dense, steps)", "ratio; ratio", "ratio = 1", "",
        "import os", "(" * 300 + ")" * 300, "\x00", "1 +",
    ],
)  # fmt: skip
def test_only_arithmetic_is_an_expression(text):
    with pytest.raises(ClaimError):
        expression.parse(text, VALUES, POSTED)


def test_long_and_deep_expressions_end_in_an_answer():
    assert compute("-" * 400 + "ratio").data == 0.25
    with pytest.raises(ClaimError, match="too long"):
        compute("1+" * 300 + "1")


def test_near_names_are_offered():
    with pytest.raises(ClaimError) as caught:
        compute("steps / step")
    assert caught.value.remedy == "did you mean 'steps'?"


@pytest.mark.parametrize(
    "number, written",
    [(207_920_037_888.0, 207920037888), (25.3079961234567, 25.3079961), (0.1, 0.1), (-0.0, 0), (1e300, 1e300)],
)
def test_numbers_are_written_as_far_as_they_are_the_same_everywhere(number, written):
    assert plain(number) == written
    assert type(plain(number)) is type(written)


def test_what_we_get_is_given_in_the_unit_of_the_claim():
    assert VALUES["memory"].in_unit(Unit.parse("GB")).data == 2 * 2**30 / 1e9
    assert VALUES["memory"].in_unit(Unit.parse("GiB")).data == 2
    assert compute("posted(posted_share)").in_unit(Unit.parse("%")).data == pytest.approx(17.09, rel=1e-15)
    with pytest.raises(ClaimError, match="another unit"):
        VALUES["memory"].in_unit(Unit.parse("s"))
