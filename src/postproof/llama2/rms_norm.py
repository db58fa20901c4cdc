"""RMSNorm beside LayerNorm: values, gradients, and what each reduces over.

Shapes: any leading dimensions, last one n features. Both norms reduce over the n features of one token, never over
tokens or the batch, so tokens need not wait for each other. Per token:

    norm        sums                        learned    what it ignores
    LayerNorm   sum x, sum (x - mean x)^2   2 n        a common shift of all features, and a common factor
    RMSNorm     sum x^2                     n          a common factor

LayerNorm's second sum waits for its first only as the formula is written: from sum x and sum x^2, taken side by side,
the variance is mean x^2 - (mean x)^2 (which loses digits where the mean is large; Welford 1962 does not).
For features of mean zero the two norms are the same function.

Sources: Ba, Kiros and Hinton 2016, "Layer Normalization", eq. 4; Zhang and Sennrich 2019, "Root Mean Square Layer
Normalization", eq. 4. eps inside the root as in the released Llama code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def rms_norm(x: Tensor, gain: Tensor, eps: float) -> Tensor:
    """y = gain x / rms(x),  rms(x)^2 = sum(x^2) / n + eps. The sum is in float32 at least."""
    return gain * _over_rms(x, eps)


def layer_norm(x: Tensor, gain: Tensor, shift: Tensor | None, eps: float) -> Tensor:
    """y = gain (x - mean(x)) / sigma + shift,  sigma^2 = sum((x - mean(x))^2) / n + eps: RMSNorm of the centred x."""
    x_wide = _wide(x)
    y = gain * _over_rms(x_wide - x_wide.mean(dim=-1, keepdim=True), eps).to(x.dtype)
    return y if shift is None else y + shift


def rms_norm_gradient(x: Tensor, gain: Tensor, eps: float, dy: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients to x and to gain, given dy, that to y.

    With u = x / rms and g = gain dy:  dx = (g - u mean(u g)) / rms,  dgain = sum over tokens of u dy.
    The term in u takes out what would only change the length of x. For eps = 0 it leaves dx . x = 0.
    """
    inverse_rms = torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + eps)
    u, g = x * inverse_rms, gain * dy
    dx = (g - u * (u * g).mean(dim=-1, keepdim=True)) * inverse_rms
    return dx, (u * dy).flatten(0, -2).sum(dim=0)


def layer_norm_gradient(x: Tensor, gain: Tensor, eps: float, dy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients to x, gain and shift: those of RMSNorm at the centred x, and dx centred, since x was.

    So LayerNorm's backward pass takes two more means per token, one of which the forward pass had; dx sums to zero.
    """
    d_centred, d_gain = rms_norm_gradient(x - x.mean(dim=-1, keepdim=True), gain, eps, dy)
    return d_centred - d_centred.mean(dim=-1, keepdim=True), d_gain, dy.flatten(0, -2).sum(dim=0)


class RMSNorm(nn.Module):
    """(..., n) -> (..., n) with one learned gain per feature, 1 at the start."""

    def __init__(self, n: int, eps: float):
        super().__init__()
        self.eps = eps
        self.gain = nn.Parameter(torch.ones(n))

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.gain, self.eps)


def _over_rms(x: Tensor, eps: float) -> Tensor:
    x_wide = _wide(x)
    return (x_wide * torch.rsqrt(x_wide.square().mean(dim=-1, keepdim=True) + eps)).to(x.dtype)


def _wide(x: Tensor) -> Tensor:
    """16-bit floats overflow or lose their small addends in a sum of squares."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
