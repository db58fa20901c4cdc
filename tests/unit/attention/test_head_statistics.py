"""Statistics of attention heads against a plain loop, and against what is known of uniform and sharp attention."""

import math

import numpy as np
import pytest
import torch

from postproof.attention.heads import row_statistics
from postproof.benchmarks import heads as benchmark

T = 12


def uniform_weights(lengths, positions=T, padding_hidden=True, heads=2) -> torch.Tensor:
    """Each row spreads evenly over the keys that it may see."""
    visible = torch.ones(positions, positions).tril().repeat(len(lengths), heads, 1, 1)
    if padding_hidden:
        for sentence, length in enumerate(lengths):
            visible[sentence, :, :, length:] = 0
    return visible / visible.sum(-1, keepdim=True)


@pytest.mark.parametrize("padding_hidden", [True, False])
@pytest.mark.parametrize("reach", [0, 1, 2, 50])
def test_equal_to_a_loop_over_heads_and_rows(padding_hidden, reach):
    weights, lengths = benchmark.attention(sentences=7, heads=3, positions=16)
    lengths[0], lengths[1] = 16, 2  # no padding at all, and almost nothing else
    if not padding_hidden:
        weights = torch.randn(7, 3, 16, 16, generator=torch.Generator().manual_seed(3))
        weights = (weights + torch.full((16, 16), -math.inf).triu(1)).softmax(-1)
    found = row_statistics.by_head(weights, lengths, reach, padding_hidden)
    expected = benchmark.by_loop(weights.numpy(), lengths, reach, padding_hidden)
    assert found.keys() == expected.keys()
    for name in expected:
        if lengths[0] == 16 and name == "padding_entropy_share":
            assert (found[name][0] == 0).all()  # no padding rows
        np.testing.assert_allclose(found[name].numpy(), expected[name], atol=1e-6, err_msg=name)


def test_diagonal_counts_both_sides_of_a_matrix_that_is_not_causal():
    weights = torch.rand(2, 2, T, T, generator=torch.Generator().manual_seed(0)).softmax(-1)
    found = row_statistics.by_row(weights, reach=2).diagonal_BHT
    for i in range(T):
        expected = weights[:, :, i, max(0, i - 2) : i + 3].double().sum(-1)
        torch.testing.assert_close(found[:, :, i], expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("padding_hidden", [True, False])
def test_uniform_attention_is_the_limit(padding_hidden):
    lengths = np.array([2, 5, T])
    weights = uniform_weights(lengths, padding_hidden=padding_hidden)
    found = row_statistics.by_head(weights, lengths, 2, padding_hidden)
    limits = row_statistics.uniform(lengths, T, 2, padding_hidden)
    rows = row_statistics.by_row(weights, 2)
    torch.testing.assert_close(rows.entropy_BHT[:, 0], torch.from_numpy(limits["entropy"]), atol=1e-6, rtol=0)
    torch.testing.assert_close(rows.diagonal_BHT[:, 0], torch.from_numpy(limits["diagonal"]), atol=1e-6, rtol=0)
    torch.testing.assert_close(found["real_entropy_share"], torch.ones(3, 2).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(found["padding_entropy_share"][:2], torch.ones(2, 2).double(), atol=1e-6, rtol=0)
    real = [math.lgamma(n + 1) / n for n in lengths]  # ln(n!) / n
    np.testing.assert_allclose(found["real_entropy"][:, 0], real, atol=1e-6)


def test_no_attention_exceeds_the_limits():
    weights, lengths = benchmark.attention(sentences=40, heads=4, positions=T)
    sharp = torch.nn.functional.one_hot((weights * torch.rand(weights.shape)).argmax(-1), T).float()
    for hidden_weights in (weights, sharp):
        rows = row_statistics.by_row(hidden_weights, 2)
        limits = row_statistics.uniform(lengths, T, 2, padding_hidden=True)
        assert (rows.entropy_BHT.numpy() <= limits["entropy"][:, None] + 1e-6).all()
        assert (rows.diagonal_BHT.numpy() <= limits["diagonal_limit"][:, None] + 1e-6).all()


def test_sharp_attention_has_no_entropy_and_the_diagonal_is_bounded_by_hidden_padding():
    """Each row on the newest key that it may see: the most local that there is."""
    lengths = np.array([3, 6])
    newest_BT = row_statistics.keys_seen(lengths, T, padding_hidden=True) - 1
    weights = torch.nn.functional.one_hot(torch.from_numpy(newest_BT), T).float()[:, None]
    found = row_statistics.by_head(weights, lengths, 2, padding_hidden=True)
    assert not any(found[f"{group}_entropy"].any() for group in ("real", "padding"))
    assert (found["real_diagonal"] == 1).all()
    # Row n + 1 is the last one with a real key within 2 positions.
    np.testing.assert_allclose(found["padding_diagonal"][:, 0], 2 / (T - lengths))
    limit = row_statistics.uniform(lengths, T, 2, padding_hidden=True)["diagonal_limit"].mean(axis=1)
    np.testing.assert_allclose(limit, (lengths + 2) / T)


def test_first_token_leaves_out_row_0():
    weights = torch.zeros(1, 1, T, T)
    weights[..., 0] = 1
    found = row_statistics.by_head(weights, np.array([4]), 0, padding_hidden=True)
    assert found["real_first_token_share"] == found["padding_first_token_share"] == 1
    on_itself = torch.eye(T)[None, None]
    found = row_statistics.by_head(on_itself, np.array([4]), 0, padding_hidden=False)
    assert found["real_first_token_share"] == 0
    assert found["real_diagonal"] == 1


def test_content_distance_is_0_for_positional_heads_and_as_defined_for_others():
    lengths = np.array([5, 3, 4])
    positional = uniform_weights(lengths, padding_hidden=False)
    assert row_statistics.content_distance(positional, lengths).abs().max() < 1e-7
    weights, _ = benchmark.attention(sentences=3, heads=2, positions=T)
    weights = weights.tril() / weights.tril().sum(-1, keepdim=True)
    found = row_statistics.content_distance(weights, lengths)
    w = weights.double().numpy()
    for sentence in range(3):
        distances = []
        for row in range(1, lengths[sentence]):
            others = [w[other, 0, row] for other in range(3) if other != sentence and lengths[other] > row]
            if others:
                distances.append(0.5 * np.abs(w[sentence, 0, row] - np.mean(others, axis=0)).sum())
        assert found[sentence, 0].item() == pytest.approx(np.mean(distances))


def test_content_distance_of_disjoint_rows_is_1():
    weights = torch.zeros(2, 1, 4, 4)
    weights[0, :, :, 0] = 1
    weights[1, 0] = torch.eye(4)
    assert (row_statistics.content_distance(weights, np.array([4, 4])) == 1).all()


def test_benchmark_reports_a_ratio(monkeypatch):
    monkeypatch.setattr(benchmark, "SENTENCES", 6)
    monkeypatch.setattr(benchmark, "LOOPED_SENTENCES", 1)
    monkeypatch.setattr(benchmark, "TURNS", 1)
    (row,) = benchmark.rows()
    assert row.name == "head_statistics_speedup"
    assert row.target == pytest.approx(1 / 15)
    assert row.value > 0
