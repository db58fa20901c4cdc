"""Time of RMSNorm and LayerNorm, and the share of a Llama block's forward pass that its two norms take.

Norms: torch.nn.RMSNorm, torch.nn.LayerNorm and RMSNorm in five lines of tensor code, over `rows` tokens, forward and
forward+backward, eager and compiled. Launched from Python (what a short model sees) and replayed as a CUDA graph (the
kernels alone). `moved_bytes` is the least that must move: input read and output written (backward: input and gradient
read, gradient written, besides); small widths fit in a GPU's cache and may exceed its memory's rate. Kind `block` is
a block of width 4096 (fused attention, SwiGLU 11008, no rotation), with its norms and without; `block_norms` its two
norms alone; `share_of_block` is their time over the block's. On a GPU the block is in bfloat16 and sees 2048 tokens; on
a CPU 64 in float32, which every CPU computes at its full rate, and the norms see 512 rows instead of 4096. Seconds.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from postproof.measuring.timing import Batch, Budget, batch, captured, side_by_side


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is timed on a kind of device. `*_calls` make one sample."""

    rows: int
    widths: tuple[int, ...]  # the likeliest to be drawn first: the budget may cut the rest
    norm_calls: int
    block: tuple[int, int, int, int]  # width, heads, ffn, sequence
    block_dtype: str
    block_calls: int
    budget_seconds: float


PLANS = {
    "cuda": Plan(
        rows=4096,
        widths=(4096, 192, 576, 8192, 1024),
        norm_calls=20,
        block=(4096, 32, 11008, 2048),
        block_dtype="bfloat16",
        block_calls=5,
        budget_seconds=85,
    ),
    # Half of the time goes into compiling, once for each width, dtype and pass.
    "cpu": Plan(
        rows=512,
        widths=(8192, 192, 1024),
        norm_calls=5,
        block=(4096, 32, 11008, 64),
        block_dtype="float32",
        block_calls=1,
        budget_seconds=180,
    ),
}
TINY = {"rows": 8, "widths": (16,), "block": (16, 2, 32, 8)}
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
EPS = 1e-5


class PlainRMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight, with the sum in float32 (Zhang and Sennrich 2019, eq. 4)."""

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        x32 = x.float()
        inverse_rms = torch.rsqrt(x32.square().mean(dim=-1, keepdim=True) + EPS)
        return (x32 * inverse_rms).to(x.dtype) * self.weight


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "rms_module": lambda width: nn.RMSNorm(width, eps=EPS),
    "layer_module": lambda width: nn.LayerNorm(width, eps=EPS),
    "rms_plain": PlainRMSNorm,
}


class LlamaBlock(nn.Module):
    """x + attention(norm(x)), then x + SwiGLU(norm(x)); no biases."""

    def __init__(self, make_norm: Callable[[int], nn.Module], width: int, heads: int, ffn: int):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.ffn_norm = make_norm(width), make_norm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.gate_up, self.down = nn.Linear(width, 2 * ffn, bias=False), nn.Linear(ffn, width, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        B, T, D = x_BTD.shape
        q, k, v = self.qkv(self.attention_norm(x_BTD)).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y_BHTd = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x_BTD = x_BTD + self.out(y_BHTd.transpose(1, 2).reshape(B, T, D))
        gate, up = self.gate_up(self.ffn_norm(x_BTD)).chunk(2, dim=-1)
        return x_BTD + self.down(F.silu(gate) * up)


def measure(device: torch.device, tiny: bool) -> pd.DataFrame:
    plan = PLANS["cuda" if device.type == "cuda" else "cpu"]
    plan = dataclasses.replace(plan, **TINY) if tiny else plan
    budget = Budget(plan.budget_seconds)
    rows = block_rows(plan, device, tiny, budget)
    for width in plan.widths:
        for dtype in DTYPES:
            for what in ("forward", "forward_backward"):
                rows += norm_rows(plan, width, dtype, what, device, tiny, budget)
    return pd.DataFrame(rows)


def norm_rows(
    plan: Plan, width: int, dtype: str, what: str, device: torch.device, tiny: bool, budget: Budget
) -> list[dict]:
    n, calls = plan.rows, plan.norm_calls
    torch._dynamo.reset()

    @functools.cache  # compiled once, launched in two ways
    def build(norm: str, code: str) -> tuple[nn.Module, Callable]:
        module = NORMS[norm](width).to(device, DTYPES[dtype])
        return module, torch.compile(module) if code == "compiled" else module

    def make(norm: str, code: str, launch: str) -> Batch:
        module, function = build(norm, code)
        x, grad = torch.randn(2, n, width, device=device, dtype=DTYPES[dtype])
        x = x.clone().requires_grad_(what != "forward")
        wanted = [x, *module.parameters()]

        def forward():
            with torch.no_grad():
                return function(x)

        def forward_backward():
            return torch.autograd.grad(function(x), wanted, grad)

        call = forward if what == "forward" else forward_backward
        if launch == "python" or device.type == "cuda":
            call()  # compiles, outside of any capture
        return captured(call, calls) if launch == "graph" else batch(call, calls)

    makers = {
        (norm, code, launch): lambda key=(norm, code, launch): make(*key)
        for code in ("eager", "compiled")
        for norm in (("rms_plain",) if tiny and code == "compiled" else NORMS)
        for launch in ("python", "graph")
    }
    results = side_by_side(makers, device, budget, repeats=30, warm_up=2, limit_seconds=2)
    itemsize = DTYPES[dtype].itemsize
    labels = {"kind": "norm", "what": what, "rows": n, "width": width, "dtype": dtype}
    labels["moved_bytes"] = (2 if what == "forward" else 5) * n * width * itemsize
    return [
        {"norm": norm, "code": code, "launch": launch} | labels | result
        for (norm, code, launch), result in results.items()
    ]


@torch.no_grad()
def block_rows(plan: Plan, device: torch.device, tiny: bool, budget: Budget) -> list[dict]:
    (width, heads, ffn, sequence), calls, dtype = plan.block, plan.block_calls, DTYPES[plan.block_dtype]
    x_BTD = torch.randn(1, sequence, width, device=device, dtype=dtype)

    @functools.cache
    def build(norm: str, part: str, code: str) -> Callable[[Tensor], Tensor]:
        make_norm = NORMS.get(norm, lambda width: nn.Identity())
        with device:
            if part == "block":
                module = LlamaBlock(make_norm, width, heads, ffn).to(dtype)
            else:
                module = nn.Sequential(make_norm(width), make_norm(width)).to(dtype)
        return torch.compile(module) if code == "compiled" else module

    def make(norm: str, part: str, code: str, launch: str) -> Batch:
        function = build(norm, part, code)

        @torch.no_grad()
        def call():
            return function(x_BTD)

        if launch == "python" or device.type == "cuda":
            call()  # compiles, outside of any capture
        return captured(call, calls) if launch == "graph" else batch(call, calls)

    rows = []
    parts = [(norm, part) for norm in NORMS for part in ("block", "block_norms")] + [("none", "block")]
    for code in ("eager",) if tiny else ("eager", "compiled"):
        torch._dynamo.reset()
        keys = [(norm, part, code, launch) for launch in ("python", "graph") for norm, part in parts]
        makers = {key: lambda key=key: make(*key) for key in keys}
        results = side_by_side(makers, device, budget, repeats=20, warm_up=2, limit_seconds=3)
        for (norm, part, _, launch), result in results.items():
            seconds, block = result["median_seconds"], results[norm, "block", code, launch]["median_seconds"]
            labels = {"norm": norm, "code": code, "launch": launch, "kind": part, "what": "forward"}
            labels |= {"rows": sequence, "width": width, "dtype": plan.block_dtype}
            share = seconds / block if part == "block_norms" and seconds and block else None
            rows.append(labels | result | {"share_of_block": share})
    return rows
