"""Time and memory of a training step, and of a forward pass alone, of the dense model and of MoE computed in six ways.

A step is zero_grad, forward, loss, backward and fused AdamW, from an idle device to an idle device; the variants are in
moe_variants.py. Launch: eager, compiled (torch.compile of the loss), graph (the whole step as one CUDA graph) and
compiled_graph. Size `posted` is the race's; `large` has d_model 1024 and 64 k tokens, bfloat16 autocast; attention is
plain (scores in memory, as in model.py) or fused. `flops` is the posted formula of the arm; all_experts does more.
Seconds and bytes; `peak_bytes` includes weights, optimiser state and gradients.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pandas as pd
import torch

from postproof.measuring.timing import Budget, Call, captured, side_by_side
from postproof.mixtral import training
from postproof.mixtral.flops import step_flops
from postproof.mixtral.measuring import moe_variants, posted
from postproof.mixtral.settings import ModelSizes

BUDGET_SECONDS = 200
LARGE = ModelSizes(d_model=1024, heads=16, layers=2, sequence=1024, dense_ffn=4096, experts=8, expert_ffn=512, top_k=2)
LARGE_BATCH = 64
ALL = tuple(moe_variants.BLOCKS)


@dataclasses.dataclass(frozen=True)
class Group:
    """Variants that are timed in turn, and how."""

    size: str
    precision: str
    attention: str
    what: str  # step or forward
    variants: dict[str, tuple[str, ...]]  # by launch


GROUPS = [
    Group("posted", "float32", "plain", "step",
          {"eager": ALL, "graph": ("dense", "all_experts"), "compiled_graph": ("dense", "all_experts"),
           "compiled": ("dense", "all_experts", "transformers_grouped", "transformers", "ours", "loop")}),
    Group("large", "bfloat16", "fused", "step",
          {"eager": ALL,
           "compiled": ("dense", "grouped", "transformers_grouped", "all_experts", "transformers", "ours")}),
    Group("large", "bfloat16", "plain", "step", {"eager": ALL, "compiled": ("dense", "grouped")}),
    Group("posted", "bfloat16", "plain", "step",
          {"eager": ALL, "graph": ("dense", "grouped", "all_experts"), "compiled_graph": ("dense", "grouped")}),
    Group("posted", "tf32", "plain", "step", {"eager": ALL, "graph": ("dense", "all_experts")}),
    Group("posted", "float32", "plain", "forward", {"eager": ALL, "graph": ("dense", "all_experts")}),
    Group("large", "bfloat16", "fused", "forward", {"eager": ALL}),
    Group("large", "bfloat16", "plain", "forward", {"eager": ALL}),
]  # fmt: skip


def measure(device: torch.device, tiny: bool) -> pd.DataFrame:
    budget = Budget(BUDGET_SECONDS)
    posted_sizes, settings, _ = posted.race(tiny)
    rows = []
    for group in GROUPS:
        if device.type == "cpu" and not tiny and (group.size == "large" or group.precision != "float32"):
            continue  # minutes a step
        sizes, batch = (posted_sizes, settings.batch) if group.size == "posted" else (LARGE, LARGE_BATCH)
        if tiny:
            sizes, batch = posted_sizes, 2
        group_rows = measure_group(group, sizes, batch, settings.learning_rate, device, budget, tiny)
        while any(row["note"] == "out of memory" for row in group_rows) and batch > 8:
            rows += group_rows
            batch //= 2
            group_rows = measure_group(group, sizes, batch, settings.learning_rate, device, budget, tiny)
        rows += group_rows
    return pd.DataFrame(rows)


def measure_group(
    group: Group, sizes: ModelSizes, batch: int, learning_rate: float, device: torch.device, budget: Budget, tiny: bool
) -> list[dict]:
    # A compiler's cache is per function, and every variant shares Decoder.loss: start clean, allow one entry for each.
    torch._dynamo.reset()
    torch.set_float32_matmul_precision("high" if group.precision == "tf32" else "highest")
    makers: dict[tuple[str, str], Callable[[], Call]] = {}
    for launch, variants in group.variants.items():
        for variant in variants[:1] if tiny and launch != "eager" else variants:
            chosen = (variant, launch, group, sizes, batch, learning_rate, device)
            makers[variant, launch] = lambda chosen=chosen: make(*chosen)
    with torch._dynamo.config.patch(recompile_limit=32):
        results = side_by_side(makers, device, budget, repeats=30, warm_up=4)
    torch.set_float32_matmul_precision("highest")
    rows = []
    for (variant, launch), result in results.items():
        flops = step_flops(moe_variants.arm(variant), sizes, batch)
        labels = {"variant": variant, "launch": launch, "size": group.size, "precision": group.precision}
        labels |= {"attention": group.attention, "what": group.what} | dataclasses.asdict(sizes)
        labels |= {"batch": batch, "tokens": batch * sizes.sequence}
        rows.append(labels | {"flops": flops if group.what == "step" else flops // 3} | result)
    return rows


def make(
    variant: str, launch: str, group: Group, sizes: ModelSizes, batch: int, learning_rate: float, device: torch.device
) -> Call:
    """The call that does one step, or one forward pass, of one variant."""
    model = moe_variants.build(variant, sizes, posted.VOCABULARY, group.attention).to(device)
    generator = torch.Generator().manual_seed(0)
    ids_BT, targets_BT = torch.randint(posted.VOCABULARY, (2, batch, sizes.sequence), generator=generator).to(device)
    loss_of = torch.compile(model.loss) if launch.startswith("compiled") else model.loss
    in_graph = launch.endswith("graph")
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, fused=True, capturable=in_graph and device.type == "cuda"
    )

    def autocast():
        return torch.autocast(device.type, torch.bfloat16, enabled=group.precision == "bfloat16")

    def loss():
        with autocast():
            return loss_of(ids_BT, targets_BT)

    def step():
        training.step(loss, optimiser)

    @torch.no_grad()
    def forward():
        with autocast():
            return model(ids_BT)

    call = step if group.what == "step" else forward
    return captured(call) if in_graph else call
