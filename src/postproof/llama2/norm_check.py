"""RMSNorm and LayerNorm in float64, held against torch's and against what is said of them.

`value` is the largest absolute difference within a seed, in outputs (their rms is 1) or gradients, or a count:

    values                 ours against torch's, with random gain and shift
    gradients              ours by formula against torch's autograd: to x, gain and shift
    other_tokens           output of a token, all other tokens of its sequence and the rest of the batch replaced
    other_tokens_gradient  the same of the gradient to the token (gradients to gain and shift do sum over tokens)
    common_shift           output under x + 5, eps = 0
    common_factor          output under 3 x, eps = 0
    centred                LayerNorm(x) against RMSNorm(x - mean x)
    one_pass               LayerNorm of `layer_norm_one_pass` against that of two passes
    one_pass_far_mean      the same where the mean of the features is 1000
    output_rms             root mean square of the outputs over features, against 1: eps takes off eps / (2 mean x^2)
    parameters             learned numbers per feature in torch's module
    sums                   sums over a token's features that one forward pass takes
    passes                 the most of them that wait for one another, as the formula is written
    passes_fewest          the same in the form that needs fewest: both sums of LayerNorm side by side

Sums are counted in the code that gives the outputs: it is traced, and what gives fewer numbers than it reads is a sum.
So `passes` is a property of how LayerNorm is written, and none of them reaches beyond one token.

Sources: post, "RMSNorm: Removing the Synchronisation Barrier"; the formulas are in rms_norm.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F

from postproof.core import settings, tables
from postproof.llama2.rms_norm import layer_norm, layer_norm_gradient, rms_norm, rms_norm_gradient
from postproof.llama2.settings import NormCheck

# B sequences of T tokens with D features.
BATCH = 2
SHIFT, FACTOR, FAR_MEAN = 5.0, 3.0, 1000.0
Norm = Callable[[Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class Draws:
    """Each token of x has a mean and a scale of its own, so that both norms have something to take out."""

    x_BTD: Tensor
    dy_BTD: Tensor
    gain_D: Tensor
    shift_D: Tensor

    @classmethod
    def of(cls, settings: NormCheck, rng: np.random.Generator) -> Draws:
        shape = (BATCH, settings.tokens, settings.width)
        x_BTD, dy_BTD = rng.normal(size=(2, *shape))
        mean_BT1, scale_BT1 = rng.normal(size=(*shape[:2], 1)), rng.uniform(0.5, 2, size=(*shape[:2], 1))
        gain_D, shift_D = rng.normal(size=(2, settings.width))
        return cls(*map(torch.from_numpy, (mean_BT1 + scale_BT1 * x_BTD, dy_BTD, gain_D, shift_D)))


def add_arguments(parser) -> None:
    parser.add_argument("--settings", required=True, help="params section llama2.norm_check, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per check, norm and seed")


def main(args) -> None:
    tables.write(args.out, check(settings.parse(NormCheck, args.settings)), "llama2/norm_check")


def check(settings: NormCheck) -> pd.DataFrame:
    rows = []
    for seed in settings.seeds:
        rng = np.random.default_rng(seed)
        draws, others = Draws.of(settings, rng), Draws.of(settings, rng)
        for name, norm, value in values(draws, others, settings.eps):
            rows.append({"check": name, "norm": norm, "seed": seed, "value": value})
    return pd.DataFrame(rows)


def values(draws: Draws, others: Draws, eps: float) -> Iterator[tuple[str, str, float]]:
    """Check, norm and value; `others` are the tokens that are put in the place of all but one."""
    x_BTD, gain_D, shift_D = draws.x_BTD, draws.gain_D, draws.shift_D
    width = x_BTD.shape[-1]
    one_D = torch.ones_like(gain_D)
    learned = {"rms": {"weight": gain_D}, "layer": {"weight": gain_D, "bias": shift_D}}
    torchs = {"rms": F.rms_norm, "layer": F.layer_norm}
    modules = {"rms": nn.RMSNorm(width, eps), "layer": nn.LayerNorm(width, eps)}
    ours: dict[str, Norm] = {
        "rms": lambda x: rms_norm(x, gain_D, eps),
        "layer": lambda x: layer_norm(x, gain_D, shift_D, eps),
    }
    gradients: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, ...]]] = {
        "rms": lambda x, dy: rms_norm_gradient(x, gain_D, eps, dy),
        "layer": lambda x, dy: layer_norm_gradient(x, gain_D, eps, dy),
    }
    # Without eps, gain and shift: the norm itself.
    bare: dict[str, Norm] = {
        "rms": lambda x: rms_norm(x, one_D, 0.0),
        "layer": lambda x: layer_norm(x, one_D, None, 0.0),
    }
    fewest: dict[str, Norm] = {"rms": ours["rms"], "layer": lambda x: layer_norm_one_pass(x, gain_D, shift_D, eps)}

    for norm in ours:
        output_BTD = ours[norm](x_BTD)
        yield "values", norm, largest(torchs[norm](x_BTD, (width,), **learned[norm], eps=eps) - output_BTD)
        inputs = [a.clone().requires_grad_() for a in (x_BTD, *learned[norm].values())]
        torch_output = torchs[norm](inputs[0], (width,), *inputs[1:], eps=eps)
        expected = torch.autograd.grad(torch_output, inputs, draws.dy_BTD)
        found = gradients[norm](x_BTD, draws.dy_BTD)
        yield "gradients", norm, max(largest(a - b) for a, b in zip(found, expected, strict=True))

        moved = moved_gradient = 0.0
        for t in range(x_BTD.shape[1]):
            x_other, dy_other = others.x_BTD.clone(), others.dy_BTD.clone()
            x_other[0, t], dy_other[0, t] = x_BTD[0, t], draws.dy_BTD[0, t]
            moved = max(moved, largest(ours[norm](x_other)[0, t] - output_BTD[0, t]))
            dx_BTD = gradients[norm](x_other, dy_other)[0]
            moved_gradient = max(moved_gradient, largest(dx_BTD[0, t] - found[0][0, t]))
        yield "other_tokens", norm, moved
        yield "other_tokens_gradient", norm, moved_gradient

        yield "common_shift", norm, largest(bare[norm](x_BTD + SHIFT) - bare[norm](x_BTD))
        yield "common_factor", norm, largest(bare[norm](FACTOR * x_BTD) - bare[norm](x_BTD))
        mean_square_BT = torchs[norm](x_BTD, (width,), eps=eps).square().mean(dim=-1)
        # NumPy's root is the rounded one on any processor; torch's may be a last bit off.
        yield "output_rms", norm, float(np.abs(np.sqrt(mean_square_BT.numpy()) - 1).max())

        yield "parameters", norm, sum(p.numel() for p in modules[norm].parameters()) / width
        sums, passes = sums_and_passes(ours[norm], x_BTD)
        yield "sums", norm, sums
        yield "passes", norm, passes
        yield "passes_fewest", norm, sums_and_passes(fewest[norm], x_BTD)[1]

    centred_BTD = x_BTD - x_BTD.mean(dim=-1, keepdim=True)
    torch_layer = F.layer_norm(x_BTD, (width,), gain_D, None, eps)
    yield "centred", "layer", largest(torch_layer - rms_norm(centred_BTD, gain_D, eps))
    for name, x in (("one_pass", x_BTD), ("one_pass_far_mean", x_BTD + FAR_MEAN)):
        yield name, "layer", largest(fewest["layer"](x) - ours["layer"](x))


def layer_norm_one_pass(x_BTD: Tensor, gain_D: Tensor, shift_D: Tensor, eps: float) -> Tensor:
    """LayerNorm from sum x and sum x^2, neither of which needs the other: sigma^2 = mean x^2 - (mean x)^2 + eps."""
    mean_BT1 = x_BTD.mean(dim=-1, keepdim=True)
    mean_square_BT1 = x_BTD.square().mean(dim=-1, keepdim=True)
    return gain_D * (x_BTD - mean_BT1) * torch.rsqrt(mean_square_BT1 - mean_BT1.square() + eps) + shift_D


def sums_and_passes(norm: Norm, x_BTD: Tensor) -> tuple[int, int]:
    """Sums per token in the trace of norm(x_BTD), and the most of them on one path from x to the output."""
    numel, passes_until, sums = {}, {}, 0
    for node in make_fx(norm)(x_BTD).graph.nodes:
        inputs = node.all_input_nodes
        if "tensor_meta" in node.meta:  # not so for gain and shift, which are constants of the trace
            numel[node] = node.meta["tensor_meta"].shape.numel()
        is_sum = node in numel and any(numel.get(before, 0) > numel[node] for before in inputs)
        sums += is_sum
        passes_until[node] = max((passes_until[before] for before in inputs), default=0) + is_sum
    return sums, max(passes_until.values())


def largest(differences: Tensor) -> float:
    return differences.abs().max().item()
