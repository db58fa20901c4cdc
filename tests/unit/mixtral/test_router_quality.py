"""What the auxiliary loss costs: differences within a seed, their interval, and the post's own beside them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from postproof.mixtral import posted_gap, router_quality
from postproof.mixtral.figures import router_quality as chart


def balance(protocol: str, differences: dict[int, float]) -> pd.DataFrame:
    """Two checkpoints; only the last counts. The whole split costs one perplexity more with the auxiliary loss."""
    rows = []
    for seed, difference in differences.items():
        for step in (5, 10):
            for arm, more in (("no_aux", 0.0), ("with_aux", difference if step == 10 else 7.0)):
                row = {"arm": arm, "seed": seed, "protocol": protocol, "step": step, "val_perplexity": 20 + more}
                rows.append(row | {"val_perplexity_fixed_windows": 20 + more + (arm == "with_aux")})
    return pd.DataFrame(rows)


def quality(*differences: float, posted: float = 0.5) -> pd.DataFrame:
    seeds = dict(enumerate(differences))
    params = pd.concat([balance("paired", seeds), balance("by_layer", seeds)])
    by_seed = router_quality.by_seed({"posted": balance("as_run", seeds), "params": params})
    return router_quality.over_seeds(by_seed, posted)


def test_differences_are_of_the_last_checkpoint_within_a_seed():
    table = quality(0.1, 0.3)
    assert list(zip(table["text"], table["protocol"], table["validated"])) == list(router_quality.MEASURES)
    np.testing.assert_allclose(table["difference_mean"], [0.2, 1.2, 1.2, 1.2])
    assert (table["seeds"] == 2).all() and table["posted_difference"].isna().tolist() == [False, True, True, True]


def test_the_posts_difference_is_of_its_last_checkpoints():
    rows = {"run": ["no_aux", "no_aux", "with_aux", "with_aux"], "val_perplexity": [30.0, 20.0, 31.0, 20.5]}
    assert router_quality.posted_difference(pd.DataFrame(rows)) == pytest.approx(0.5)


def test_the_interval_is_that_of_a_t_test():
    values = pd.Series([0.1, -0.2, 0.4, 0.05, -0.1])
    expected = stats.ttest_1samp(values, 0).confidence_interval(router_quality.CONFIDENCE)
    assert router_quality.interval(values) == pytest.approx(tuple(expected))
    assert np.isnan(router_quality.interval(values[:1])).all()


def test_the_sentence_is_that_of_the_table():
    said = chart.says(quality(0.1, 0.3))
    assert "costs 0.500" in said and "; over 2 seeds the mean is +0.200 (" in said
    assert "gains 0.500" in chart.says(quality(0.1, 0.3, posted=-0.5))
    assert chart.says(quality(-0.1, 0.3)[:1]).endswith("and every interval includes zero")
    assert chart.says(quality(0.1, 0.100001)).endswith("and 4 of 4 intervals leave out zero")
    assert chart.says(quality(0.1)).endswith("the one seed here says +0.100")


def test_rows_of_different_numbers_of_seeds_say_so():
    assert chart.counts(pd.Series([5, 3])) == "3 to 5 seeds" and chart.counts(pd.Series([3, 3])) == "3 seeds"


def test_the_posted_gap_is_a_difference_of_losses():
    equal = pd.DataFrame({"cumulative_flops": [1.0], "dense_val_perplexity": [25.0], "moe_val_perplexity": [20.0]})
    gap = posted_gap.gaps(equal).iloc[0]
    assert gap["gap_nats"] == pytest.approx(np.log(25) - np.log(20))
    assert gap["perplexity_reduction"] == pytest.approx(0.2)
