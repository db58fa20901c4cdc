"""The table of norms: what must be zero, what must not, and counts of functions whose counts are known."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import figures_helpers
from postproof.core import settings, tables
from postproof.llama2 import norm_check
from postproof.llama2.settings import NormCheck

SETTINGS = {"width": 64, "tokens": 3, "seeds": [0, 1], "eps": 1e-5}


def run(folder: Path) -> Path:
    path = folder / "norm_check.csv"
    figures_helpers.run("llama2.norm_check", ["--settings", json.dumps(SETTINGS), "--out", path])
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return tables.read(run(tmp_path_factory.mktemp("table")), "llama2/norm_check")


@pytest.fixture
def value(table):
    """Values of all seeds."""
    return lambda check, norm: table.query("check == @check and norm == @norm")["value"].to_numpy()


def test_the_table_has_each_row_once_and_each_check_is_explained(table):
    schema = tables.schema("llama2/norm_check")
    assert not table.duplicated(["check", "norm", "seed"]).any()
    assert set(table["check"]) == set(schema["check"].one_of)
    for check in set(table["check"]):
        assert check in schema["check"].description and f"    {check} " in norm_check.__doc__, check


def test_rounding_is_all_that_is_left_of_what_is_equal(value):
    equal = ["values", "gradients", "common_factor"]
    for check, norm in [(check, norm) for check in equal for norm in ("rms", "layer")]:
        assert (value(check, norm) < 1e-12).all(), (check, norm)
    for check in ("centred", "one_pass", "common_shift"):
        assert (value(check, "layer") < 1e-12).all(), check


def test_a_common_shift_changes_rms_norm(value):
    """Every x + 5 has another direction than x, so outputs of rms 1 differ far beyond rounding."""
    assert (value("common_shift", "rms") > 0.1).all()


def test_one_pass_loses_digits_where_the_mean_is_large(value):
    """mean x^2 - (mean x)^2 is a difference of two numbers near 1e6: it keeps some 10 of 16 digits."""
    far = value("one_pass_far_mean", "layer")
    assert (far > 1e3 * value("one_pass", "layer")).all() and (far < 1e-6).all()


def test_other_tokens_change_nothing_at_all(value):
    for check in ("other_tokens", "other_tokens_gradient"):
        for norm in ("rms", "layer"):
            assert (value(check, norm) == 0).all()


def test_a_norm_over_tokens_too_would_be_seen(monkeypatch):
    """A norm with the barrier that the post describes: its mean is taken over all tokens."""

    def with_barrier(x, gain, shift, eps):
        centred = x - x.mean()
        return gain * centred * torch.rsqrt(centred.square().mean(dim=-1, keepdim=True) + eps) + (
            0 if shift is None else shift
        )

    monkeypatch.setattr(norm_check, "layer_norm", with_barrier)
    table = norm_check.check(settings.build(NormCheck, SETTINGS)).set_index(["check", "norm"])["value"]
    assert (table["other_tokens", "layer"] > 1e-3).all() and (table["values", "layer"] > 1e-3).all()


def test_outputs_have_rms_one_but_for_eps(value):
    """sqrt(m / (m + eps)) of mean squares m: at 64 features with a scale from 0.5 to 2, m is above 0.1 in all but one
    of 1e9 tokens (chi-squared, 63 degrees), so that eps / (2 m) is below 5e-5."""
    for norm in ("rms", "layer"):
        assert (value("output_rms", norm) > 0).all() and (value("output_rms", norm) < 5e-5).all()


def test_counts(value):
    counts = {check: (value(check, "rms").tolist(), value(check, "layer").tolist())
              for check in ("parameters", "sums", "passes", "passes_fewest")}  # fmt: skip
    assert counts == {
        "parameters": ([1, 1], [2, 2]),
        "sums": ([1, 1], [2, 2]),
        "passes": ([1, 1], [2, 2]),
        "passes_fewest": ([1, 1], [1, 1]),
    }


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda x: 2 * x + 1, (0, 0)),
        (lambda x: x - x.sum(dim=-1, keepdim=True), (1, 1)),
        (lambda x: x.sum(dim=-1, keepdim=True) * x.amax(dim=-1, keepdim=True) * x, (2, 1)),
        (lambda x: (x - x.amax(dim=-1, keepdim=True)).exp().sum(dim=-1), (2, 2)),
        (lambda x: x.sum(dim=-1).sum(), (2, 2)),
    ],
)
def test_sums_and_the_longest_chain_of_them_are_counted(function, expected):
    assert norm_check.sums_and_passes(function, torch.randn(2, 3, 8)) == expected


def test_one_pass_is_layer_norm_by_hand():
    x = np.array([[1.0, 2.0, 3.0, 6.0]])  # mean 3, mean square 12.5, variance 3.5
    one, none = torch.ones(4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    y = norm_check.layer_norm_one_pass(torch.from_numpy(x), one, none, 0.5)
    np.testing.assert_allclose(y, [[-1.0, -0.5, 0.0, 1.5]], rtol=1e-15)


def test_the_same_settings_give_the_same_bytes(tmp_path):
    first = run(tmp_path).read_bytes()
    assert run(tmp_path / "again").read_bytes() == first
