"""One token's routing against softmax written out by hand, for the post's logits and for any."""

import math

import numpy as np
import pytest

from figures_helpers import run
from postproof.mixtral.worked_token import route

POSTED = [2.9, 0.3, 1.7, -0.1, 2.2, 0.4, -1.2, 0.1]


def test_the_posts_token_goes_to_experts_0_and_4():
    table = route(POSTED, 2).set_index("expert")
    assert table.index[table["chosen"] == 1].tolist() == [0, 4]
    first = 1 / (1 + math.exp(2.2 - 2.9))  # softmax of two is the logistic function of their difference
    np.testing.assert_allclose(table["weight"], [first, 0, 0, 0, 1 - first, 0, 0, 0], rtol=1e-15)
    assert table["weight"].round(3).tolist() == [0.668, 0, 0, 0, 0.332, 0, 0, 0]


@pytest.mark.parametrize("experts, top_k", [(1, 1), (8, 1), (8, 2), (8, 8), (16, 3)])
def test_weights_are_the_softmax_over_the_likeliest_only(experts, top_k):
    logits = np.random.default_rng(experts * top_k).normal(size=experts)
    table = route(logits.tolist(), top_k)
    likeliest = np.sort(logits)[::-1][:top_k]
    np.testing.assert_allclose(table["probability"], np.exp(logits) / np.exp(logits).sum(), rtol=1e-13)
    for row in table.itertuples():
        expected = np.exp(row.logit) / np.exp(likeliest).sum() if row.logit in likeliest else 0
        assert row.weight == pytest.approx(expected, rel=1e-13)
        assert row.chosen == (row.logit in likeliest) == (row.weight > 0)
    assert table["weight"].sum() == pytest.approx(1, abs=1e-15)
    moved = route((logits + 100).tolist(), top_k)
    np.testing.assert_allclose(moved["weight"], table["weight"], rtol=1e-12, err_msg="only differences count")


def test_of_equal_logits_as_many_are_chosen_as_asked():
    table = route([1.0, 2.0, 2.0, 2.0], 2)
    assert table["chosen"].sum() == 2 and not table["chosen"][0]
    assert table.loc[table["chosen"] == 1, "weight"].tolist() == [0.5, 0.5]


def test_the_largest_numbers_do_not_overflow():
    table = route([1.7e308, -1.7e308, 0.0], 2)
    assert table["weight"].tolist() == [1, 0, 0] and table["chosen"].tolist() == [1, 0, 1]


def test_bytes_repeat(tmp_path):
    arguments = ["--logits", POSTED, "--top-k", 2, "--out", tmp_path / "a.csv"]
    run("mixtral.worked_token", arguments)
    first = (tmp_path / "a.csv").read_bytes()
    run("mixtral.worked_token", arguments)
    assert first == (tmp_path / "a.csv").read_bytes()
