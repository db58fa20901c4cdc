"""The race's decoder with its feed-forward block computed in other ways, from the same weights.

Shapes: N tokens, K slots, R = N K (token, slot) pairs sorted by expert, E experts, D d_model, F hidden width, H = 2F.

    dense                 our dense model
    ours                  moe.py: pairs sorted by expert, one product per expert; the host reads the counts
    loop                  what one writes first: for each slot and expert, a boolean mask
    grouped               moe.py on a GPU: sorted as ours, one product for all experts; the host reads nothing
    all_experts           every expert on every token, unchosen ones weighted 0: E / K times the FLOPs, no dispatch
    transformers          the Mixtral block of transformers as a loop over experts, `eager` (no biases there)
    transformers_grouped  the same block with its grouped products, its default where it can
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from postproof.measuring.timing import Unavailable
from postproof.mixtral.model import Decoder
from postproof.mixtral.moe import MoE, compute_dtype
from postproof.mixtral.settings import ModelSizes


class LoopMoE(nn.Module):
    def __init__(self, moe: MoE):
        super().__init__()
        self.moe = moe

    def forward(self, x: Tensor) -> Tensor:
        x_ND = x.reshape(-1, x.shape[-1])
        expert_ids_NK, weights_NK = self.moe.route(x_ND)
        y_ND = torch.zeros_like(x_ND)
        e = self.moe.experts
        stacks = (e.gate_up_EDH, e.gate_up_bias_EH, e.down_EFD, e.down_bias_ED)
        weights = list(zip(*(stack.unbind() for stack in stacks)))
        for slot in range(self.moe.top_k):
            for expert, (gate_up_DH, gate_up_bias_H, down_FD, down_bias_D) in enumerate(weights):
                chosen_N = expert_ids_NK[:, slot] == expert
                if not chosen_N.any():
                    continue
                gate, up = (x_ND[chosen_N] @ gate_up_DH + gate_up_bias_H).chunk(2, dim=-1)
                out = (F.silu(gate) * up) @ down_FD + down_bias_D
                y_ND[chosen_N] += (weights_NK[chosen_N, slot, None] * out).to(y_ND.dtype)
        return y_ND.view_as(x)


def grouped(moe: MoE) -> MoE:
    moe.grouped = True
    return moe


class AllExpertsMoE(nn.Module):
    """With experts of width F = dense width / E this is the dense block's FLOPs, and a gate on its hidden units."""

    def __init__(self, moe: MoE):
        super().__init__()
        self.moe = moe

    def forward(self, x: Tensor) -> Tensor:
        e = self.moe.experts
        x_ND = x.reshape(-1, x.shape[-1])
        expert_ids_NK, weights_NK = self.moe.route(x_ND)
        weights_NE = weights_NK.new_zeros(len(x_ND), len(e.gate_up_EDH)).scatter(1, expert_ids_NK, weights_NK)
        gate_ENF, up_ENF = (x_ND @ e.gate_up_EDH + e.gate_up_bias_EH[:, None]).chunk(2, dim=-1)
        hidden_ENF = F.silu(gate_ENF) * up_ENF * weights_NE.T[:, :, None]
        return (torch.einsum("enf,efd->nd", hidden_ENF, e.down_EFD) + weights_NE @ e.down_bias_ED).view_as(x)


class TransformersMoE(nn.Module):
    """The block of transformers with our weights. It has no biases, in the router or the experts: ours are dropped."""

    def __init__(self, moe: MoE, experts_implementation: str):
        super().__init__()
        try:
            from transformers import MixtralConfig
            from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock
        except ImportError as error:
            raise Unavailable("transformers, or its Mixtral block, is not installed") from error
        experts, d_model, width = moe.experts.gate_up_EDH.shape
        config = MixtralConfig(
            hidden_size=d_model, intermediate_size=width // 2, num_local_experts=experts, num_experts_per_tok=moe.top_k
        )
        config._experts_implementation = experts_implementation
        self.block = MixtralSparseMoeBlock(config)
        self.grouped = experts_implementation == "grouped_mm"
        with torch.no_grad():
            self.block.gate.weight.copy_(moe.router.weight)
            self.block.experts.gate_up_proj.copy_(moe.experts.gate_up_EDH.mT)
            self.block.experts.down_proj.copy_(moe.experts.down_EFD.mT)

    def forward(self, x: Tensor) -> Tensor:
        if not self.grouped:
            return self.block(x)
        # Autocast does not know grouped products: without this they would run in float32.
        dtype = compute_dtype(x)
        weights = {name: weight.to(dtype) for name, weight in self.block.named_parameters()}
        return torch.func.functional_call(self.block, weights, (x.to(dtype),))


BLOCKS = {
    "dense": lambda ffn: ffn,
    "ours": lambda ffn: ffn,
    "loop": LoopMoE,
    "grouped": grouped,
    "all_experts": AllExpertsMoE,
    "transformers": lambda moe: TransformersMoE(moe, "eager"),
    "transformers_grouped": lambda moe: TransformersMoE(moe, "grouped_mm"),
}


def arm(variant: str) -> str:
    return "dense" if variant == "dense" else "moe"


def build(variant: str, sizes: ModelSizes, vocabulary: int, attention: str = "plain", seed: int = 7) -> Decoder:
    """The decoder on the CPU; variants of one arm and seed have the same weights. `attention`: plain or fused."""
    torch.manual_seed(seed)
    model = Decoder(arm(variant), sizes, vocabulary)
    for block in model.blocks:
        block.ffn = BLOCKS[variant](block.ffn)
        block.attention.fused = attention == "fused"
    return model
