"""Matrix products that follow the mode: torch's own in fast mode, NumPy's pinned BLAS in exact mode (exact.py)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import numpy as np
import torch
from torch import Tensor, nn

from postproof.core import exact

_THROUGH_TORCH = ContextVar("through_torch", default=False)


class _PinnedMatmul(torch.autograd.Function):
    """float32 or float64 products on the CPU through `numpy.matmul`, which shares the tensors' memory.

    With C = A B:  dA = dC B^T,  dB = A^T dC.
    """

    @staticmethod
    def forward(ctx, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return torch.from_numpy(np.matmul(a.detach().numpy(), b.detach().numpy()))

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = (saved.detach().numpy() for saved in ctx.saved_tensors)
        g = grad.numpy()
        grad_a = torch.from_numpy(np.matmul(g, b.swapaxes(-1, -2))) if ctx.needs_input_grad[0] else None
        grad_b = torch.from_numpy(np.matmul(a.swapaxes(-1, -2), g)) if ctx.needs_input_grad[1] else None
        return grad_a, grad_b


@contextlib.contextmanager
def through_torch() -> Iterator[None]:
    """Inside it `matmul` is torch's own product in exact mode too, and so is its gradient.

    torch's counters (FLOPs, dispatched operations) see what torch dispatches, and a product through NumPy is not among
    it. For counting only: the values then follow the processor.
    """
    before = _THROUGH_TORCH.set(True)
    try:
        yield
    finally:
        _THROUGH_TORCH.reset(before)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """(..., M, K) times (..., K, N), with equal leading sizes."""
    if exact.pinned() and a.device.type == "cpu" and not _THROUGH_TORCH.get():
        return _PinnedMatmul.apply(a, b)
    return a @ b


class Linear(nn.Linear):
    """`torch.nn.Linear`, library defaults included, with the product above."""

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(-1, self.in_features)
        y = matmul(flat, self.weight.T)
        if self.bias is not None:
            y = y.add_(self.bias)  # in place: nothing else sees the product
        return y.view(*x.shape[:-1], self.out_features)
