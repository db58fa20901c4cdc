"""Attention from its equations: Vaswani et al. 2017, "Attention Is All You Need", arXiv:1706.03762, section 3.2.

Shapes: B batch, T queries, S keys and values (T = S in self-attention), D d_model, H heads, d = D / H head dimension.

A mask is boolean and says who may look where, as in torch: True at (t, s) lets query t see key s. A query that may see
nothing has weights 0 and output 0, which is also what torch's scaled_dot_product_attention gives: its weights sum to 0
where those of all others sum to 1. (torch.nn.MultiheadAttention gives NaN there if it returns weights, else 0.)

bfloat16 and float16 are computed in float32 and rounded once, at the end, as torch's own math kernel does.
Positions are postproof.llama2.sinusoidal, added to the embeddings before the first layer (section 3.5).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from postproof.core.errors import ParamsError
from postproof.core.linalg import Linear, matmul

NARROW = (torch.bfloat16, torch.float16)


def attend(
    q_BHTd: Tensor, k_BHSd: Tensor, v_BHSd: Tensor, allowed: Tensor | None = None, scale: float | None = None
) -> tuple[Tensor, Tensor]:
    """Attention(Q, K, V) = softmax(Q K^T / sqrt(d_k)) V, equation 1: output (B, H, T, d), weights (B, H, T, S).

    `allowed` is a mask that broadcasts to (B, H, T, S); `scale` stands in for 1 / sqrt(d_k).
    Raises ParamsError when shapes or types do not go together, or the mask is not boolean or of no such shape.
    """
    check(q_BHTd, k_BHSd, v_BHSd, allowed)
    dtype = q_BHTd.dtype
    if dtype in NARROW:
        q_BHTd, k_BHSd, v_BHSd = q_BHTd.float(), k_BHSd.float(), v_BHSd.float()
    scores_BHTS = matmul(q_BHTd, k_BHSd.mT) * (1 / math.sqrt(q_BHTd.shape[-1]) if scale is None else scale)
    if allowed is not None:
        scores_BHTS = scores_BHTS.masked_fill(~allowed, -math.inf)
    weights_BHTS = scores_BHTS.softmax(dim=-1)
    if allowed is not None:
        # exp(-inf) is 0, so this changes nothing but the rows without any key, which softmax has made 0/0.
        weights_BHTS = weights_BHTS.masked_fill(~allowed, 0)
    return matmul(weights_BHTS, v_BHSd).to(dtype), weights_BHTS.to(dtype)


def causal_mask(length: int, device: torch.device | None = None) -> Tensor:
    """allowed_TT: token i sees tokens up to itself, no j > i (section 3.2.3). Row i has i + 1 True."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


class MultiHeadAttention(nn.Module):
    """MultiHead(X) = Concat(head_1 .. head_H) W_O, head_h = Attention(X W_Q,h, X W_K,h, X W_V,h) (section 3.2.2).

    The W_Q,h of all heads stand side by side in one D x D matrix, so one product projects for all heads, and the view
    (B, T, H, d) splits them before the softmax. No bias. The paper's base model has D = 512 and H = 8.
    Raises ParamsError when D is not a multiple of H.
    """

    def __init__(self, d_model: int = 512, heads: int = 8):
        super().__init__()
        if heads < 1 or d_model < 1 or d_model % heads:
            divisors = [count for count in range(1, d_model + 1) if d_model % count == 0]
            raise ParamsError(
                "d_model is not a multiple of heads", d_model=d_model, heads=heads,
                allowed=f"heads that divide d_model: {', '.join(map(str, divisors)) or 'none'}",
                remedy="choose one of the allowed numbers of heads, or another d_model",
            )  # fmt: skip
        self.d_model, self.heads = d_model, heads
        self.query, self.key, self.value, self.out = (Linear(d_model, d_model, bias=False) for _ in range(4))

    def forward(self, x_BTD: Tensor, allowed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Output (B, T, D) and weights (B, H, T, T). Raises ParamsError for an x that is not (B, T, d_model)."""
        if x_BTD.ndim != 3 or x_BTD.shape[-1] != self.d_model:
            raise ParamsError(
                "input has another shape", found=tuple(x_BTD.shape), allowed=f"(batch, sequence, {self.d_model})",
                remedy="give embeddings of the layer's d_model",
            )  # fmt: skip
        q_BHTd, k_BHTd, v_BHTd = (self.split(layer(x_BTD)) for layer in (self.query, self.key, self.value))
        y_BHTd, weights_BHTT = attend(q_BHTd, k_BHTd, v_BHTd, allowed)
        return self.out(y_BHTd.transpose(1, 2).reshape(x_BTD.shape)), weights_BHTT

    def split(self, x_BTD: Tensor) -> Tensor:
        """(B, H, T, d): features h d .. (h + 1) d - 1 are head h's."""
        B, T, D = x_BTD.shape
        return x_BTD.view(B, T, self.heads, D // self.heads).transpose(1, 2)


def check(q_BHTd: Tensor, k_BHSd: Tensor, v_BHSd: Tensor, allowed: Tensor | None) -> None:
    """Raises ParamsError unless the three go together, and the mask with them."""
    q, k, v = (tuple(x.shape) for x in (q_BHTd, k_BHSd, v_BHSd))
    if not (len(q) == len(k) == len(v) == 4 and q[:2] == k[:2] == v[:2] and q[3] == k[3] and k[2] == v[2]):
        raise ParamsError(
            "shapes do not go together", queries=q, keys=k, values=v,
            allowed="(B, H, T, d), (B, H, S, d), (B, H, S, d)", remedy="bring all three to the same B, H and d",
        )  # fmt: skip
    if min(q + k) < 1:
        raise ParamsError("nothing to attend to", queries=q, keys=k, remedy="leave out what is empty")
    dtypes = {x.dtype for x in (q_BHTd, k_BHSd, v_BHSd)}
    if len(dtypes) > 1 or not q_BHTd.is_floating_point():
        found = ", ".join(sorted(map(str, dtypes)))
        raise ParamsError("types do not go together", found=found, remedy="bring all three to one floating-point type")
    if allowed is None:
        return
    if allowed.dtype != torch.bool:
        raise ParamsError(
            "mask is not boolean", found=allowed.dtype, allowed="torch.bool, True where a query may see a key",
            remedy="compare it, as in `mask != 0`; of an additive mask `mask == 0`",
        )  # fmt: skip
    scores = (*q[:3], k[2])
    padded = (1,) * (4 - allowed.ndim) + tuple(allowed.shape)
    if len(padded) > 4 or any(size not in (1, whole) for size, whole in zip(padded, scores)):
        raise ParamsError(
            "mask has another shape", found=tuple(allowed.shape), allowed=f"what broadcasts to (B, H, T, S) = {scores}",
            remedy="give (T, S) for one mask for all, or (B, 1, 1, S) to hide padding",
        )  # fmt: skip
