"""Rotary position embedding: each pair of features is a point in the plane, turned by its position times a fixed rate.

Shapes: T time, d head dimension, P = d/2 pairs; `...` is anything before (batch, heads).

Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding", arXiv:2104.09864:
    theta_k = base^(-2k/d), k = 0 .. d/2 - 1                                              (section 3.2.2)
    (x_2k, x_2k+1) -> (x_2k cos m theta_k - x_2k+1 sin m theta_k,
                       x_2k sin m theta_k + x_2k+1 cos m theta_k)   at position m          (eqs. 14, 15, 34)
R(m) is orthogonal and R(m)^T R(n) = R(n - m), so <R(m) q, R(n) k> = <q, R(n - m) k>: distance alone counts.

Two layouts say which two features are a pair. They are one permutation of features apart (`pairs_to_halves`):
    pairs     2k and 2k + 1: the paper, and the weights as Meta released them
    halves    k and k + d/2: GPT-NeoX and transformers, whose converted weights have their rows permuted to match
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from postproof.core import exact
from postproof.core.errors import ParamsError

if TYPE_CHECKING:
    from torch import Tensor

LAYOUTS = ("pairs", "halves")


def frequencies(d_head: int, base: float = 10_000.0) -> np.ndarray:
    """theta_P in radians per token, float64, from 1 down to base^(-(d - 2)/d).

    Raises ParamsError for a head dimension that is no even number above 0, or a base that is not above 0.
    """
    _check_sizes(d_head, base)
    return float(base) ** (-np.arange(0, d_head, 2) / d_head)


def rotate(x: np.ndarray, positions_T, base: float = 10_000.0, layout: str = "pairs") -> np.ndarray:
    """Each x (..., T, d) turned by its position, in float64.

    Raises ParamsError for positions that are not T whole numbers from 0 on, an odd d or an unknown layout.
    """
    x = np.asarray(x, dtype=np.float64)
    positions_T = _checked_positions(positions_T, x.shape)
    angles_TP = positions_T[:, None] * frequencies(x.shape[-1], base)
    first, second = _slices(x.shape[-1], layout)
    cos_TP, sin_TP = np.cos(angles_TP), np.sin(angles_TP)
    rotated = np.empty_like(x)
    rotated[..., first] = x[..., first] * cos_TP - x[..., second] * sin_TP
    rotated[..., second] = x[..., first] * sin_TP + x[..., second] * cos_TP
    return rotated


def table(length: int, d_head: int, base: float = 10_000.0, dtype=None, device=None) -> tuple[Tensor, Tensor]:
    """cos_TP and sin_TP of positions 0 .. length - 1, to be made once and used by every layer and step.

    `dtype` is that of rates, angles and result: float32 (the default), by the operations of transformers and in their
    order, or float64. Float32 has 24 bits, so an angle near 4,096 radians is off by some 1e-4.

    Raises ParamsError for a length below 1, an odd d_head or a base that is not above 0.
    """
    import torch

    _check_sizes(d_head, base)
    if type(length) is not int or length < 1:
        raise ParamsError("value is not allowed", key="length", value=length, allowed="a whole number of 1 or more")
    dtype = dtype or torch.float32
    frequencies_P = 1.0 / (base ** (torch.arange(0, d_head, 2, device=device).to(dtype) / d_head))
    angles_TP = torch.arange(length, device=device).to(dtype)[:, None] * frequencies_P
    return angles_TP.cos(), angles_TP.sin()


def rotate_torch(x: Tensor, positions_T, cos_sin: tuple[Tensor, Tensor], layout: str = "halves") -> Tensor:
    """Each x (..., T, d) turned by its position, with the cosines and sines of `table`; in the dtype of x.

    `positions_T` are T whole numbers: a range, a list or a CPU tensor. They are looked at in Python, so that a
    position past the table is an error and never the wrong row.

    Raises ParamsError for positions that are not T whole numbers within the table, a table of another head
    dimension or an unknown layout.
    """
    import torch

    cos_LP, sin_LP = cos_sin
    if x.shape[-1] != 2 * cos_LP.shape[-1]:
        raise ParamsError(
            "the table of angles is for another head dimension", key="d_head", value=x.shape[-1],
            allowed=f"{2 * cos_LP.shape[-1]}, twice the table's number of pairs", remedy="make a table for this one",
        )  # fmt: skip
    first, second = _slices(x.shape[-1], layout)
    is_run = isinstance(positions_T, range) and positions_T.step == 1 and x.shape[-2:-1] == (len(positions_T),)
    if is_run and 0 <= positions_T.start and positions_T.stop <= len(cos_LP):
        rows_T = slice(positions_T.start, positions_T.stop)  # quick: a decoder comes here in every layer of every step
    else:
        positions_T = _checked_positions(positions_T, x.shape, length=len(cos_LP))
        rows_T = torch.as_tensor(positions_T, device=cos_LP.device)
    cos_TP, sin_TP = cos_LP[rows_T].to(x.dtype), sin_LP[rows_T].to(x.dtype)
    if layout == "pairs" and x.dtype in (torch.float32, torch.float64) and not exact.pinned():
        # Fast mode: pairs are complex numbers as they lie, and their product is one kernel instead of seven.
        pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
        return torch.view_as_real(pairs * torch.complex(cos_TP, sin_TP)).flatten(-2)
    x_first, x_second = x[..., first], x[..., second]
    rotated_first = x_first * cos_TP - x_second * sin_TP
    rotated_second = x_second * cos_TP + x_first * sin_TP
    if layout == "halves":
        return torch.cat((rotated_first, rotated_second), dim=-1)
    return torch.stack((rotated_first, rotated_second), dim=-1).flatten(-2)


def pairs_to_halves(d_head: int) -> np.ndarray:
    """Order of features, (d,), with which x_pairs[..., order] is x in the layout halves: 0, 2, 4, ... then 1, 3, 5, ...

    For the projections of q and k it orders rows: weight[order] of a (d, d_model) head. `np.argsort` of it leads back.
    """
    _check_sizes(d_head, base=1.0)
    return np.concatenate([np.arange(0, d_head, 2), np.arange(1, d_head, 2)])


def _slices(d_head: int, layout: str) -> tuple[slice, slice]:
    """Where the first and the second feature of every pair stand."""
    if layout not in LAYOUTS:
        raise ParamsError("value is not allowed", key="layout", value=layout, allowed=" or ".join(LAYOUTS))
    if layout == "pairs":
        return slice(0, None, 2), slice(1, None, 2)
    return slice(0, d_head // 2), slice(d_head // 2, None)


def _check_sizes(d_head: int, base: float) -> None:
    if isinstance(d_head, bool) or not isinstance(d_head, int | np.integer) or d_head < 2 or d_head % 2:
        raise ParamsError(
            "head dimension does not split into pairs",
            key="d_head",
            value=d_head,
            allowed="an even number of 2 or more",
        )
    if isinstance(base, bool | str | None) or not 0 < base < float("inf"):
        raise ParamsError("value is not allowed", key="base", value=base, allowed="a finite number above 0")


def _checked_positions(positions_T, shape: tuple[int, ...], length: int | None = None) -> np.ndarray:
    """The positions as integers, when there are T of them, all whole and from 0 to `length` - 1.

    Raises ParamsError otherwise, naming the first that is not.
    """
    positions_T = np.asarray(positions_T)
    if len(shape) < 2 or positions_T.shape != shape[-2:-1]:
        raise ParamsError(
            "positions do not fit the array", key="positions", value=f"shape {positions_T.shape}",
            allowed=f"one for each row of x (..., T, d), which has shape {tuple(shape)}",
            remedy="give as many positions as rows",
        )  # fmt: skip
    allowed = "whole numbers from 0 on" if length is None else f"whole numbers from 0 to {length - 1}"
    numeric = positions_T.dtype.kind in "iuf"
    with np.errstate(invalid="ignore"):
        good_T = (positions_T >= 0) & (positions_T % 1 == 0) if numeric else np.zeros(positions_T.shape, bool)
        if length is not None and numeric:
            good_T &= positions_T < length
    if not good_T.all():
        raise ParamsError(
            "position is not allowed", key="positions", value=positions_T[~good_T][0], allowed=allowed,
            remedy="count positions from 0" if length is None else "count from 0, or make a longer table",
        )  # fmt: skip
    return positions_T.astype(np.int64)
