"""How computed numbers are written."""

import pytest

from postproof.claims.digits import WHOLE, in_digits


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(7.0, 2, "7.0"), (1003.27, 3, "1,000"), (12345.0, 3, "12,300"), (0.0418, 3, "0.0418"), (0.0, 3, "0"),
     (-61.94, 3, "-61.9"), (2.5e-7, 2, "2.5e-07"), (999.96, 4, "1,000"), (1 / 3, 1, "0.3"), (7.0, WHOLE, "7"),
     (11926.0, WHOLE, "11,926")],
)  # fmt: skip
def test_a_number_in_a_text_has_its_digits_and_no_exponent(value, digits, text):
    assert in_digits(value, digits) == text


def test_what_is_no_count_is_not_written_as_one():
    with pytest.raises(ValueError, match="no whole number"):
        in_digits(6.5, WHOLE)
