"""How far attention from scratch is from torch's functions and from a float64 reference, and what order does to it.

Per shape, type, mask and seed, the same q, k, v for all references, rounded to the type beforehand:

    numpy_float64       softmax(q k^T / sqrt(d)) v with NumPy in float64: how far rounding takes ours from the truth
    torch_math          scaled_dot_product_attention, its plain kernel: two roundings against each other
    torch_fused         the same function's default kernel here, which goes over the keys in blocks
    torch_multihead     torch.nn.MultiheadAttention with our layer's weights, on (B, T, H d); masks that all heads share

The posted check is torch's function at the first shape, causal, in float32: that one is repeated for more seeds, and
for two kinds of input, since an error goes with the size of the numbers and the post does not say what they were:
`normal`, standard normal q, k, v, and `projected`, standard normal x through projections as torch initialises them,
which leaves a third of the variance. Exact mode pins MKL too, so torch's own products are the same bytes on other
processors: tried on emulated Intel Haswell and AMD EPYC for all of these kernels.

ulp is the distance between neighbouring numbers of the type, taken at the largest reference value. At each value by
itself it would say little: a value near 0 is what is left of a sum of values of about 1, so its own ulp is far finer
than the sum's rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from postproof.attention.attention import MultiHeadAttention, attend, causal_mask
from postproof.attention.settings import AttentionCheck
from postproof.core import settings, tables
from postproof.llama2.sinusoidal import encoding

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}
MASKS = ("none", "causal", "random", "empty_row", "padding")
SHARED_MASKS = ("none", "causal", "padding")  # by all heads, and with no empty row: what torch's layer can take
INPUTS = ("normal", "projected")
VISIBLE = 0.7  # of the pairs of a random mask


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section attention.attention_check, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per reference, shape, type and mask")
    parser.add_argument("--out-order", type=Path, required=True, help="tidy CSV, one row per case and seed")


@torch.no_grad()
def main(args) -> None:
    section = settings.parse(AttentionCheck, args.settings)
    tables.write(args.out, check(section), "attention/attention_check")
    tables.write(args.out_order, order(section), "attention/attention_order")


def check(section: AttentionCheck) -> pd.DataFrame:
    """A row per reference, shape, type, mask, input and seed."""
    rows = []
    for shape in section.shapes:
        for dtype in DTYPES:
            for mask in MASKS:
                if mask == "causal" and shape[2] != shape[3]:
                    continue
                posted = shape == section.shapes[0] and (dtype, mask) == ("float32", "causal")
                for seed in section.posted_seeds if posted else section.seeds:
                    for inputs in INPUTS if posted else INPUTS[:1]:
                        rows += compare(shape, dtype, mask, seed, inputs, posted)
    return pd.DataFrame(rows)


def compare(shape: Sequence[int], dtype: str, mask: str, seed: int, inputs: str, posted: bool) -> Iterator[dict]:
    B, H, T, S, d = shape
    generator = torch.Generator().manual_seed(seed)
    q, k, v = draw(inputs, shape, DTYPES[dtype], generator)
    allowed = mask_of(mask, shape, generator)
    labels = {"batch": B, "heads": H, "queries": T, "keys": S, "d_head": d, "dtype": dtype, "mask": mask, "seed": seed}
    labels |= {"inputs": inputs, "posted_protocol": int(posted)}
    y, weights = attend(q, k, v, allowed)
    labels |= sums(weights, allowed)
    with sdpa_kernel(SDPBackend.MATH):
        math_y = F.scaled_dot_product_attention(q, k, v, allowed)
    references = {
        "numpy_float64": reference(q, k, v, allowed),
        "torch_math": math_y,
        "torch_fused": F.scaled_dot_product_attention(q, k, v, allowed),
    }
    for name, expected in references.items():
        yield {"reference": name} | labels | difference(y, expected, DTYPES[dtype])
    # No bfloat16: the product that torch's layer takes there is not the same bytes on every processor.
    if inputs == "normal" and mask in SHARED_MASKS and T == S and dtype != "bfloat16":
        y, weights, expected = layers(shape, DTYPES[dtype], allowed, generator)
        labels |= sums(weights, allowed)
        yield {"reference": "torch_multihead"} | labels | difference(y, expected, DTYPES[dtype])


def draw(inputs: str, shape: Sequence[int], dtype: torch.dtype, generator: torch.Generator) -> list[Tensor]:
    """q (B, H, T, d), k and v (B, H, S, d). Projected ones have S = T."""
    B, H, T, S, d = shape
    if inputs == "normal":
        return [torch.randn(B, H, n, d, generator=generator, dtype=torch.float64).to(dtype) for n in (T, S, S)]
    layer = MultiHeadAttention(H * d, H)
    x_BTD = torch.randn(B, T, H * d, generator=generator)
    bound = 1 / math.sqrt(H * d)  # of torch.nn.Linear's uniform weights
    for part in (layer.query, layer.key, layer.value):
        part.weight.uniform_(-bound, bound, generator=generator)
    return [layer.split(part(x_BTD)).to(dtype) for part in (layer.query, layer.key, layer.value)]


def mask_of(name: str, shape: Sequence[int], generator: torch.Generator) -> Tensor | None:
    """True where a query may see a key. Each query of `random` sees a key at least, one of `empty_row` sees none."""
    B, H, T, S, _ = shape
    if name == "none":
        return None
    if name == "causal":
        return causal_mask(T)
    if name == "padding":  # the last third, of each sequence
        return (torch.arange(S) < math.ceil(2 * S / 3)).view(1, 1, 1, S)
    allowed = torch.rand(B, H, T, S, generator=generator) < VISIBLE
    allowed[..., 0] = True
    if name == "empty_row":
        allowed[:, :, T // 2] = False
    return allowed


def reference(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None) -> Tensor:
    """Equation 1 in float64, a row without keys 0: exp(s - max s) summed over the keys that are seen."""
    q, k, v = (x.double().numpy() for x in (q, k, v))
    scores = np.matmul(q, k.swapaxes(-1, -2)) / math.sqrt(q.shape[-1])
    seen = np.broadcast_to(True if allowed is None else allowed.numpy(), scores.shape)
    powers = np.where(seen, np.exp(scores - scores.max(axis=-1, keepdims=True)), 0.0)
    total = powers.sum(axis=-1, keepdims=True)
    return torch.from_numpy(np.matmul(np.divide(powers, total, where=total > 0, out=np.zeros_like(powers)), v))


def layers(shape: Sequence[int], dtype: torch.dtype, allowed: Tensor | None, generator: torch.Generator):
    """Our layer's output and weights, and the output of torch's layer with the same weights and input."""
    B, H, T, _, d = shape
    D = H * d
    ours = MultiHeadAttention(D, H).to(dtype)
    theirs = nn.MultiheadAttention(D, H, bias=False, batch_first=True, dtype=dtype)
    for layer in (ours.query, ours.key, ours.value, ours.out):
        layer.weight.copy_(torch.randn(D, D, generator=generator, dtype=torch.float64) / math.sqrt(D))
    theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
    theirs.out_proj.weight.copy_(ours.out.weight)
    x_BTD = torch.randn(B, T, D, generator=generator, dtype=torch.float64).to(dtype)
    # torch's layer has True for what is hidden.
    hidden_TT = None if allowed is None else ~allowed.expand(1, 1, T, T)[0, 0]
    expected, _ = theirs(x_BTD, x_BTD, x_BTD, attn_mask=hidden_TT, average_attn_weights=False)
    return *ours(x_BTD, allowed), expected


def sums(weights: Tensor, allowed: Tensor | None) -> dict:
    """Rows that see a key must sum to 1, and what is hidden must have weight 0."""
    seen = torch.ones(1, dtype=torch.bool) if allowed is None else allowed
    seen = seen.expand(weights.shape)
    rows = seen.any(dim=-1)
    errors = (weights.double().sum(dim=-1) - 1).abs()[rows]
    return {
        "row_sum_max_error": errors.max().item(),
        "hidden_max_weight": weights.double().masked_fill(seen, 0).max().item(),
    }


def difference(ours: Tensor, expected: Tensor, dtype: torch.dtype) -> dict:
    apart, value = (ours.double() - expected.double()).abs().numpy(), expected.double().abs().numpy()
    return {
        "max_abs_difference": apart.max(),
        "largest_value": value.max(),
        "max_ulp_of_largest": apart.max() / ulp(value.max(), dtype),
    }


def ulp(value: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    """eps 2^floor(log2 |value|), and the smallest normal number's ulp below that."""
    info = torch.finfo(dtype)
    _, exponent = np.frexp(np.maximum(value, info.tiny))
    return np.ldexp(info.eps, exponent - 1)


def order(section: AttentionCheck) -> pd.DataFrame:
    """What is left of layer(permuted x) - permuted layer(x): rounding, unless positions or a causal mask say more.

    A layer of the paper's size in float32, its input standard normal.
    """
    rows, T = [], section.tokens
    pe_TD = torch.from_numpy(encoding(T, 512)).float()
    for seed in section.seeds:
        generator = torch.Generator().manual_seed(seed)
        layer = MultiHeadAttention()
        for part in (layer.query, layer.key, layer.value, layer.out):
            part.weight.copy_(torch.randn(512, 512, generator=generator) / math.sqrt(512))
        x_BTD, moved = torch.randn(1, T, 512, generator=generator), torch.randperm(T, generator=generator)
        cases = {"no_positions": (0 * pe_TD, None), "positions": (pe_TD, None), "causal": (0 * pe_TD, causal_mask(T))}
        for case, (added_TD, allowed) in cases.items():
            y_BTD, _ = layer(x_BTD + added_TD, allowed)
            of_moved_BTD, _ = layer(x_BTD[:, moved] + added_TD, allowed)
            apart = (of_moved_BTD - y_BTD[:, moved]).abs().max().item()
            rows.append(
                {"case": case, "seed": seed, "max_abs_difference": apart, "largest_value": y_BTD.abs().max().item()}
            )
    return pd.DataFrame(rows)
