"""The sentences of the charts: true of their tables, and others when the tables change."""

import numpy as np
import pandas as pd
import pytest

from postproof.attention.figures import (
    attention_weights,
    head_entropy_heatmap,
    head_layer_gradient,
    head_type_examples,
    padding_effect,
    score_memory,
    sinusoidal_encoding,
    softmax_scaling,
)

MB = 10**6
LENGTHS = [64, 128, 256]


def memory(table_over, chart_over=10, times=1):
    """A modelled layer of three ways, and posted peaks that much above what keeps all, and above what lets go."""
    peaks = {"plain": [4, 8, 30], "plain_all_kept": [5, 12, 50], "sdpa": [3, 4, 6]}
    rows = [
        {"attention": attention, "sequence": n, "peak_bytes": peak * MB, "scores_formula_bytes": 2 * MB}
        for attention, of in peaks.items()
        for n, peak in zip(LENGTHS, of)
    ]
    posted = {
        "sequence": LENGTHS,
        "peak_mb_table": np.add(peaks["plain_all_kept"], table_over),
        "theory_mb_table": 2.0 * times,
        "peak_mb_chart": np.add(peaks["plain"], chart_over),
    }
    return pd.DataFrame(rows), pd.DataFrame(posted)


@pytest.mark.parametrize(
    "over, times, expected",
    [
        ([7, 8, 9], 20, ["keeps all plus 7 to 9 MB", "lets go plus 10 MB", "20 times the formula's"]),
        ([7, 7, 40], 1, ["keeps all plus 7 MB, at 256 tokens plus 40", "is that of the formula"]),
        ([-3, -2, -2], 20, ["keeps all minus 2 to 3 MB"]),
        ([-1, 1, 0], 20, ["keeps all within 1 MB"]),
    ],
)
def test_memory_names_the_nearest_layer(over, times, expected):
    table, posted = memory(over, times=times)
    sentence = score_memory.says(table, posted, score_memory.differences(table, posted))
    assert all(part in sentence for part in expected), sentence


def test_memory_of_other_lengths_is_not_compared():
    table, posted = memory(7)
    posted["sequence"] += 1
    assert "other lengths" in score_memory.says(table, posted, score_memory.differences(table, posted))


@pytest.mark.parametrize(
    "posted, ours, expected",
    [
        ([3, 2, 1], [6, 4, 5, 3, 2, 1], "both models, not at every step"),
        ([3, 2, 1], [6, 5, 4, 3, 2, 1], "both models, at every step"),
        ([1, 2, 3], [6, 5, 4, 3, 2, 1], "does not fall"),
    ],
)
def test_gradient_says_whether_it_falls(posted, ours, expected):
    posted = pd.DataFrame({"layer": range(len(posted)), "mean_entropy_nats": posted})
    table = pd.DataFrame({"protocol": "as_posted", "layer": range(len(ours)), "entropy": ours})
    assert expected in head_layer_gradient.says(posted, table, "gpt2")


@pytest.mark.parametrize(
    "padded, real, expected",
    [
        ([1, 1, 0], [1, 1, 0], "come late. "),
        ([1, 1, 0], [0, 1, 0], "come late only with rows of padding"),
        ([0, 1, 1], [1, 1, 0], "do not come late in both"),
    ],
)
def test_heatmap_says_where_sharp_heads_are(padded, real, expected):
    def grid(values):
        return pd.DataFrame({0: values, 1: values})

    grids = {"as_posted": grid(padded), "real_tokens": grid(real)}
    assert expected in head_entropy_heatmap.says(grid([1, 1, 0]), grids, "smollm2_135m")


@pytest.mark.parametrize(
    "real, padding, expected",
    [
        ([1, 1, 1], [3, 2, 1], "is mostly padding's: "),
        ([3, 2, 1], [1, 1, 1], "not mostly padding's"),
        ([1, 1, 1], [1, 1, 2], "does not fall"),
    ],
)
def test_padding_says_which_rows_fall(real, padding, expected):
    table = pd.DataFrame({"padding": "hidden", "layer": range(3)})
    for group, values in (("real", real), ("padding", padding)):
        table[f"{group}_entropy"] = table[f"{group}_part"] = np.array(values, dtype=float)
    assert f" {expected}" in f" {padding_effect.says(table)}"


def test_examples_name_classes_without_heads():
    rows = [("posted", "copy", 9), ("reachable", "local", 4), ("reachable", "copy", 5)]
    sentence = head_type_examples.says(pd.DataFrame(rows, columns=["basis", "class", "heads_of_class"]), "a model")
    assert "thresholds 9 copy and none local or broad or mixed" in sentence
    assert "reached 4 local, 5 copy and none broad or mixed" in sentence


@pytest.mark.parametrize("largest, expected", [(0.9, "most of the weight"), (0.2, "spreads out")])
def test_scaling_says_whether_softmax_collapses(largest, expected):
    table = pd.DataFrame({"d_head": [64, 64], "scaling": ["none", "inverse_root"], "largest_weight": [largest, 0.1]})
    sentence = softmax_scaling.says(table)
    assert expected in sentence and f"{largest:.2f} at d_k 64;" in sentence and "stays at 0.10" in sentence


@pytest.mark.parametrize("longest, expected", [(99, "all of them"), (200, "only 1 of 2")])
def test_positions_say_how_many_waves_turn(longest, expected):
    assert expected in sinusoidal_encoding.says(pd.DataFrame({"wavelength_positions": [6.3, longest]}), 100)


@pytest.mark.parametrize("largest, expected", [(0.3, "noise"), (0.9, "single out")])
def test_weights_say_whether_they_are_noise(largest, expected):
    table = pd.DataFrame({"mask": "none", "query": [0, 1], "weight": [0.1, largest]})
    assert expected in attention_weights.says(table)
