"""Rotary embedding: what the rotation keeps, against complex numbers, whole matrices and transformers; bad input."""

import numpy as np
import pytest
import torch

from postproof.core import exact
from postproof.core.errors import ParamsError
from postproof.llama2.rope import LAYOUTS, frequencies, pairs_to_halves, rotate, rotate_torch, table

BASES = [10_000.0, 500_000.0]
D = 128


def unit(rng, *shape) -> np.ndarray:
    x = rng.normal(size=shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def at(x_d, position, **options) -> np.ndarray:
    """One vector at one position."""
    return rotate(x_d[None], [position], **options)[0]


def rotation_matrix(position: int, d: int, base: float) -> np.ndarray:
    """RoFormer eq. 15, entry by entry."""
    R_dd = np.zeros((d, d))
    for k in range(d // 2):
        angle = position / base ** (2 * k / d)
        cos, sin = np.cos(angle), np.sin(angle)
        R_dd[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = [[cos, -sin], [sin, cos]]
    return R_dd


def test_frequencies_are_a_geometric_series_from_1():
    theta_P = frequencies(D)
    assert theta_P.shape == (64,) and theta_P.dtype == np.float64 and theta_P[0] == 1
    np.testing.assert_allclose(theta_P[1:] / theta_P[:-1], 10_000 ** (-1 / 64), rtol=1e-14)
    assert theta_P[0] / theta_P[-1] == pytest.approx(10_000 ** (126 / 128), rel=1e-14)
    np.testing.assert_array_equal(frequencies(2), [1.0])


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_score_depends_on_distance_only(base, layout):
    rng = np.random.default_rng(1)
    q, k = unit(rng, D), unit(rng, D)
    for _ in range(20):
        m, n, shift = rng.integers(200), rng.integers(200), rng.integers(100)
        here = at(q, m, base=base, layout=layout) @ at(k, n, base=base, layout=layout)
        there = at(q, m + shift, base=base, layout=layout) @ at(k, n + shift, base=base, layout=layout)
        assert here == pytest.approx(there, abs=1e-13)


@pytest.mark.parametrize("base", BASES)
def test_a_score_depends_on_distance_at_a_million_within_rounding(base):
    """An angle of 1e6 rad is rounded to half of 2^-33: m theta, its theta and the cosine's argument give 3 such errors
    on each side, so two unit vectors' score is off by less than 6 x 2^-34 < 4e-10 (and is: some 1e-11)."""
    rng = np.random.default_rng(2)
    q, k = unit(rng, D), unit(rng, D)
    for distance in (0, 1, 37, 4096):
        near = at(q, distance, base=base) @ at(k, 0, base=base)
        far = at(q, 1_000_000 + distance, base=base) @ at(k, 1_000_000, base=base)
        assert abs(near - far) < 6 * 2**-34


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("d", [2, 6, 128])
def test_it_is_the_matrix_of_the_paper(d, base):
    x_TD = np.random.default_rng(3).normal(size=(5, d))
    positions = [0, 1, 7, 42, 4095]
    expected_TD = np.stack([rotation_matrix(m, d, base) @ x for m, x in zip(positions, x_TD)])
    np.testing.assert_allclose(rotate(x_TD, positions, base), expected_TD, atol=1e-11)


@pytest.mark.parametrize("base", BASES)
def test_it_is_the_complex_product(base):
    x_TD = np.random.default_rng(4).normal(size=(200, D))
    z_TP = x_TD[:, 0::2] + 1j * x_TD[:, 1::2]
    m_T1 = np.arange(200)[:, None]
    expected_TP = z_TP * np.exp(1j * m_T1 * base ** (-np.arange(64) / 64))
    rotated_TD = rotate(x_TD, np.arange(200), base)
    np.testing.assert_allclose(rotated_TD[:, 0::2] + 1j * rotated_TD[:, 1::2], expected_TP, atol=1e-13)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_norms_stay_position_0_is_the_identity_and_rotations_add(layout):
    rng = np.random.default_rng(5)
    x_BHTD = rng.normal(size=(2, 3, 50, D))
    rotated = rotate(x_BHTD, np.arange(50), layout=layout)
    np.testing.assert_allclose(np.linalg.norm(rotated, axis=-1), np.linalg.norm(x_BHTD, axis=-1), rtol=1e-14)
    np.testing.assert_array_equal(rotated[..., 0, :], x_BHTD[..., 0, :])
    m_T, n_T = rng.integers(1000, size=50), rng.integers(1000, size=50)
    twice = rotate(rotate(x_BHTD, m_T, layout=layout), n_T, layout=layout)
    np.testing.assert_allclose(twice, rotate(x_BHTD, m_T + n_T, layout=layout), atol=1e-11)


@pytest.mark.parametrize("base", BASES)
def test_the_layouts_are_one_permutation_apart_bit_by_bit(base):
    order = pairs_to_halves(D)
    assert sorted(order) == list(range(D)) and list(order[:3]) == [0, 2, 4] and order[64] == 1
    x_TD = np.random.default_rng(6).normal(size=(40, D))
    positions = np.arange(40)
    in_halves = rotate(x_TD[:, order], positions, base, "halves")
    np.testing.assert_array_equal(in_halves, rotate(x_TD, positions, base, "pairs")[:, order])
    np.testing.assert_array_equal(in_halves[:, np.argsort(order)], rotate(x_TD, positions, base, "pairs"))

    x_torch, cos_sin = torch.tensor(x_TD, dtype=torch.float32), table(40, D, base)
    by_halves = rotate_torch(x_torch[:, order], positions, cos_sin, "halves")
    assert torch.equal(by_halves, rotate_torch(x_torch, positions, cos_sin, "pairs")[:, order])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_fast_mode_turns_by_the_same_angles(monkeypatch, dtype):
    """It takes pairs for complex numbers where there are such numbers; also of views, as a decoder cuts its heads."""
    cos_sin = table(40, D, dtype=dtype)
    x = torch.randn(2, 9, 5 * D, generator=torch.Generator().manual_seed(3)).to(dtype)
    heads = x.view(2, 9, 5, D).transpose(1, 2)[:, 1:4]
    exactly = rotate_torch(heads, range(4, 13), cos_sin, "pairs")
    monkeypatch.setattr(exact, "pinned", lambda: False)
    quickly = rotate_torch(heads, range(4, 13), cos_sin, "pairs")
    assert quickly.shape == exactly.shape and quickly.dtype == dtype
    torch.testing.assert_close(quickly, exactly)
    if dtype == torch.float64:
        inputs = heads[0, 0, :2].clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda each: rotate_torch(each, [4, 5], cos_sin, "pairs"), inputs)


def test_the_permutation_of_projection_rows_leaves_scores_as_they_are():
    rng = np.random.default_rng(7)
    order = pairs_to_halves(16)
    w_q, w_k, x_TD = rng.normal(size=(16, 24)), rng.normal(size=(16, 24)), rng.normal(size=(9, 24))

    def scores(w_q, w_k, layout):
        return rotate(x_TD @ w_q.T, range(9), layout=layout) @ rotate(x_TD @ w_k.T, range(9), layout=layout).T

    np.testing.assert_allclose(scores(w_q[order], w_k[order], "halves"), scores(w_q, w_k, "pairs"), atol=1e-11)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_torch_agrees_with_numpy(base, layout):
    x = np.random.default_rng(8).normal(size=(2, 60, D))
    positions = np.arange(1000, 1060)
    expected = rotate(x, positions, base, layout)
    in_float64 = rotate_torch(torch.tensor(x), positions, table(1060, D, base, torch.float64), layout)
    np.testing.assert_allclose(in_float64, expected, atol=1e-11)
    in_float32 = rotate_torch(
        torch.tensor(x, dtype=torch.float32), torch.tensor(positions), table(1060, D, base), layout
    )
    # Rates are off by 2^-23 of themselves at most, times 1,060 positions and entries of up to 5: below 1e-3.
    np.testing.assert_allclose(in_float32, expected, atol=1e-3)
    assert in_float32.dtype == torch.float32 and in_float64.dtype == torch.float64


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("d", [64, 128])
def test_it_is_the_rotation_of_transformers_bit_by_bit(d, base):
    pytest.importorskip("transformers", reason="the extra `dev` is installed by `make setup`")
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

    rope = {"rope_type": "default", "rope_theta": base}
    config = LlamaConfig(hidden_size=4 * d, num_attention_heads=4, head_dim=d, rope_parameters=rope)
    torch.manual_seed(0)
    q, k = torch.randn(2, 4, 300, d), torch.randn(2, 2, 300, d)
    positions = torch.arange(300)
    cos, sin = LlamaRotaryEmbedding(config)(q, positions[None])
    q_theirs, k_theirs = apply_rotary_pos_emb(q, k, cos, sin)
    cos_sin = table(300, d, base)
    assert torch.equal(rotate_torch(q, positions, cos_sin, "halves"), q_theirs)
    assert torch.equal(rotate_torch(k, positions, cos_sin, "halves"), k_theirs)


def test_a_table_serves_any_positions_and_lets_gradients_through():
    cos_sin = table(100, 8, dtype=torch.float64)
    x = torch.randn(3, 8, dtype=torch.float64, requires_grad=True)
    one_by_one = torch.cat([rotate_torch(x[i : i + 1], [m], cos_sin) for i, m in enumerate((99, 0, 5))])
    assert torch.equal(one_by_one, rotate_torch(x, [99, 0, 5], cos_sin))
    assert torch.autograd.gradcheck(lambda x: rotate_torch(x, [99, 0, 5], cos_sin, "pairs"), x)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_range_of_positions_gives_the_bits_of_a_list_and_is_refused_like_one(layout):
    cos_sin, x = table(10, 8), torch.randn(2, 4, 8)
    for start in (0, 3, 6):
        positions = range(start, start + 4)
        as_list = rotate_torch(x, list(positions), cos_sin, layout)
        assert torch.equal(rotate_torch(x, positions, cos_sin, layout), as_list)
    assert torch.equal(
        rotate_torch(x, range(9, 1, -2), cos_sin, layout), rotate_torch(x, [9, 7, 5, 3], cos_sin, layout)
    )
    for positions, named in [(range(7, 11), "value: 10"), (range(-1, 3), "value: -1"), (range(5), "one for each row")]:
        with pytest.raises(ParamsError, match=named):
            rotate_torch(x, positions, cos_sin, layout)


@pytest.mark.parametrize("d_head", [0, 1, 7, -2, 8.0, True, None])
def test_a_head_dimension_that_is_no_even_number_is_refused(d_head):
    for call in (frequencies, pairs_to_halves, lambda d_head: table(4, d_head)):
        with pytest.raises(ParamsError, match="d_head"):
            call(d_head)


def test_an_odd_array_is_refused():
    with pytest.raises(ParamsError, match="value: 7"):
        rotate(np.zeros((3, 7)), [0, 1, 2])


@pytest.mark.parametrize("base", [0, -1.0, float("nan"), float("inf"), "10000", None, True])
def test_a_base_that_is_no_finite_number_above_0_is_refused(base):
    with pytest.raises(ParamsError, match="base"):
        frequencies(8, base)


@pytest.mark.parametrize("bad", [-1, 0.5, float("nan"), float("inf"), "a", True, 1 + 0j])
def test_a_position_that_is_no_whole_number_from_0_is_refused(bad):
    cos_sin = table(10, 8)
    with pytest.raises(ParamsError, match="positions"):
        rotate(np.zeros((1, 8)), [bad])
    with pytest.raises(ParamsError, match="positions"):
        rotate_torch(torch.zeros(1, 8), [bad], cos_sin)


def test_a_position_past_the_table_is_refused_by_number():
    with pytest.raises(ParamsError, match="value: 10\n.*from 0 to 9\n.*longer table"):
        rotate_torch(torch.zeros(3, 8), [9, 10, 11], table(10, 8))


@pytest.mark.parametrize("positions", [[0, 1], 0, [[0], [1], [2]], []])
def test_positions_must_be_one_for_each_row(positions):
    with pytest.raises(ParamsError, match="one for each row"):
        rotate(np.zeros((3, 8)), positions)


def test_a_table_of_another_size_and_an_unknown_layout_are_refused():
    with pytest.raises(ParamsError, match="another head dimension"):
        rotate_torch(torch.zeros(1, 16), [0], table(10, 8))
    with pytest.raises(ParamsError, match="value: interleaved"):
        rotate(np.zeros((1, 8)), [0], layout="interleaved")
    for length in (0, -1, 2.5, True):
        with pytest.raises(ParamsError, match="length"):
            table(length, 8)
