"""Time of one decode step against the number of KV heads, and the bytes that the step must read.

Llama-like layers (RMSNorm, SwiGLU, 32 query heads; no rotation, no head) take one new token per sequence, write its K
and V at the end of a full cache and attend to all of it. On a GPU four layers of width 4096 in bfloat16, launched as a
CUDA graph or from Python; on a CPU two of width 2048 in float32, which every CPU computes at its full rate. Attention:
`gqa` is scaled_dot_product_attention(enable_gqa=True); `folded` puts the query heads of a group in the query's length,
so that each K and V is read once; `expanded` repeats K and V to all heads at each step. With as many KV heads as heads
all three are one, given as `gqa`. `read_bytes` = weights + cache, each read once. Seconds per step, which is one token
for each sequence.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from postproof.measuring.timing import Batch, Budget, batch, captured, side_by_side

KV_HEADS = (32, 8, 4, 1)


@dataclasses.dataclass(frozen=True)
class Sizes:
    heads: int = 32
    head_dim: int = 128
    ffn: int = 11008
    layers: int = 4
    dtype: str = "bfloat16"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is timed on a kind of device, in this order: the budget may cut the last."""

    sizes: Sizes
    batches: tuple[int, ...]
    contexts: tuple[int, ...]
    ways: tuple[tuple[str, str], ...]  # launch and attention
    calls: int  # steps in a sample
    budget_seconds: float


PLANS = {
    "cuda": Plan(
        Sizes(),
        batches=(64, 16, 1),
        contexts=(8192, 2048, 512),
        ways=(("graph", "gqa"), ("graph", "folded"), ("graph", "expanded"), ("python", "gqa")),
        calls=2,
        budget_seconds=75,
    ),
    # The largest cache is 2.6 times the weights; what is held at once is 3 GB.
    "cpu": Plan(
        Sizes(head_dim=64, ffn=5632, layers=2, dtype="float32"),
        batches=(8, 1),
        contexts=(4096, 512),
        ways=(("python", "gqa"), ("python", "folded"), ("python", "expanded")),
        calls=1,
        budget_seconds=180,
    ),
}


def gqa(q_BHtd: Tensor, k_BGTd: Tensor, v_BGTd: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q_BHtd, k_BGTd, v_BGTd, enable_gqa=q_BHtd.shape[1] != k_BGTd.shape[1])


def folded(q_BHtd: Tensor, k_BGTd: Tensor, v_BGTd: Tensor) -> Tensor:
    """With one new token there is no mask, so H query heads of length 1 are G heads of length H / G."""
    B, G = k_BGTd.shape[:2]
    return F.scaled_dot_product_attention(q_BHtd.reshape(B, G, -1, q_BHtd.shape[-1]), k_BGTd, v_BGTd).view_as(q_BHtd)


def expanded(q_BHtd: Tensor, k_BGTd: Tensor, v_BGTd: Tensor) -> Tensor:
    repeats = q_BHtd.shape[1] // k_BGTd.shape[1]
    k_BHTd, v_BHTd = (x.repeat_interleave(repeats, dim=1) for x in (k_BGTd, v_BGTd))
    return F.scaled_dot_product_attention(q_BHtd, k_BHTd, v_BHTd)


ATTENTION: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"gqa": gqa, "folded": folded, "expanded": expanded}


class DecodeLayer(nn.Module):
    def __init__(self, heads: int, kv_heads: int, head_dim: int, ffn: int):
        super().__init__()
        width = heads * head_dim
        self.split = (width, kv_heads * head_dim, kv_heads * head_dim)
        self.attention_norm, self.ffn_norm = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv, self.out = nn.Linear(width, sum(self.split), bias=False), nn.Linear(width, width, bias=False)
        self.gate_up, self.down = nn.Linear(width, 2 * ffn, bias=False), nn.Linear(ffn, width, bias=False)

    def forward(self, x_B1D: Tensor, k_BGTd: Tensor, v_BGTd: Tensor, attend) -> Tensor:
        B, d = len(x_B1D), k_BGTd.shape[-1]
        qkv = self.qkv(self.attention_norm(x_B1D)).split(self.split, dim=-1)
        q, k, v = (part.view(B, 1, -1, d).transpose(1, 2) for part in qkv)
        k_BGTd[:, :, -1:], v_BGTd[:, :, -1:] = k, v
        x_B1D = x_B1D + self.out(attend(q, k_BGTd, v_BGTd).transpose(1, 2).reshape(x_B1D.shape))
        gate, up = self.gate_up(self.ffn_norm(x_B1D)).chunk(2, dim=-1)
        return x_B1D + self.down(F.silu(gate) * up)


class DecodeStack:
    """Layers, their caches and the new tokens' states."""

    def __init__(self, sizes: Sizes, kv_heads: int, batch_size: int, context: int, device: torch.device):
        with device:
            layer_sizes, dtype = (sizes.heads, kv_heads, sizes.head_dim, sizes.ffn), dtype_of(sizes)
            self.layers = [DecodeLayer(*layer_sizes).to(dtype) for _ in range(sizes.layers)]
            shape = (sizes.layers, 2, batch_size, kv_heads, context, sizes.head_dim)
            self.cache = torch.empty(shape, dtype=dtype).normal_()
            self.x_B1D = torch.randn(batch_size, 1, sizes.heads * sizes.head_dim, dtype=dtype)

    @torch.no_grad()
    def step(self, attend) -> Tensor:
        x_B1D = self.x_B1D
        for layer, (k_BGTd, v_BGTd) in zip(self.layers, self.cache):
            x_B1D = layer(x_B1D, k_BGTd, v_BGTd, attend)
        return x_B1D


@torch.no_grad()
def measure(device: torch.device, tiny: bool) -> pd.DataFrame:
    plan = PLANS["cuda" if device.type == "cuda" else "cpu"]
    if tiny:
        sizes = dataclasses.replace(plan.sizes, head_dim=8, ffn=32, layers=1)
        plan = dataclasses.replace(plan, sizes=sizes, batches=(2,), contexts=(16,))
    sizes, budget = plan.sizes, Budget(plan.budget_seconds)
    rows = []
    for batch_size, context in itertools.product(plan.batches, plan.contexts):
        for launch, attention in plan.ways:
            kv_heads = [kv for kv in KV_HEADS if kv < sizes.heads or attention == "gqa"]
            # In turn over KV heads, which are what is compared: four caches fit in memory together. Expanded copies of
            # three do not.
            for together in [[kv] for kv in kv_heads] if attention == "expanded" else [kv_heads]:
                makers = {
                    kv: lambda kv=kv: make(
                        DecodeStack(sizes, kv, batch_size, context, device), attention, launch, plan.calls
                    )
                    for kv in together
                }
                results = side_by_side(makers, device, budget, repeats=20, warm_up=2, limit_seconds=1)
                for kv, result in results.items():
                    labels = {"attention": attention, "launch": launch, "kv_heads": kv} | dataclasses.asdict(sizes)
                    labels |= {"batch": batch_size, "context": context} | read_bytes(sizes, kv, batch_size, context)
                    rows.append(labels | result)
    return pd.DataFrame(rows)


def make(stack: DecodeStack, attention: str, launch: str, calls: int) -> Batch:
    def call():
        return stack.step(ATTENTION[attention])

    return captured(call, calls) if launch == "graph" else batch(call, calls)


def dtype_of(sizes: Sizes) -> torch.dtype:
    return getattr(torch, sizes.dtype)


def read_bytes(sizes: Sizes, kv_heads: int, batch_size: int, context: int) -> dict[str, int]:
    """Bytes of the products' weights and of the cache."""
    width, itemsize = sizes.heads * sizes.head_dim, dtype_of(sizes).itemsize
    projections = width * sizes.head_dim * (2 * sizes.heads + 2 * kv_heads)  # q and out, k and v
    weights = itemsize * sizes.layers * (projections + 3 * width * sizes.ffn)
    cache = itemsize * sizes.layers * 2 * batch_size * context * kv_heads * sizes.head_dim
    return {"weight_bytes": weights, "cache_bytes": cache, "read_bytes": weights + cache}
