"""The race's decoder with its feed-forward block computed in other ways, from the same weights.

Shapes: N tokens, K slots, R = N K (token, slot) pairs sorted by expert, E experts, D d_model, F hidden width, H = 2F.

    dense                 our dense model
    ours                  moe.py: pairs sorted by expert, one product per expert; the host reads the counts
    loop                  what one writes first: for each slot and expert, a boolean mask
    grouped               sorted as ours, one grouped product for all experts; the host reads nothing
    all_experts           every expert on every token, unchosen ones weighted 0: E / K times the FLOPs, no dispatch
    transformers          the Mixtral block of transformers as a loop over experts, `eager` (no biases there)
    transformers_grouped  the same block with its grouped products, its default where it can
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from postproof.measuring.timing import Unavailable
from postproof.mixtral.model import CausalSelfAttention, Decoder
from postproof.mixtral.moe import MoE
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


class _Take(torch.autograd.Function):
    """rows[index], where each row is taken `copies` times, at the places `back` lists row by row.

    With `back` the gradient is a gather and a sum too, instead of a scatter with collisions.
    """

    @staticmethod
    def forward(ctx, rows: Tensor, index: Tensor, back: Tensor, copies: int) -> Tensor:
        ctx.save_for_backward(back)
        ctx.copies = copies
        return rows[index]

    @staticmethod
    def backward(ctx, grad: Tensor):
        (back,) = ctx.saved_tensors
        return grad[back].view(-1, ctx.copies, grad.shape[-1]).sum(dim=1), None, None, None


class GroupedMoE(nn.Module):
    """Counts stay on the device, so a step needs no synchronisation and can be captured as a CUDA graph."""

    def __init__(self, moe: MoE):
        super().__init__()
        if not hasattr(F, "grouped_mm"):
            raise Unavailable("this torch has no grouped_mm")
        self.moe = moe

    def forward(self, x: Tensor) -> Tensor:
        K, e = self.moe.top_k, self.moe.experts
        x_ND = x.reshape(-1, x.shape[-1])
        dtype = _compute_dtype(x)
        expert_ids_NK, weights_NK = self.moe.route(x_ND)
        ids_by_rank, pair_by_rank = expert_ids_NK.flatten().sort(stable=True)
        rank_by_pair = torch.empty_like(pair_by_rank)
        rank_by_pair[pair_by_rank] = torch.arange(len(pair_by_rank), device=x.device)
        of_expert_RE = ids_by_rank[:, None] == torch.arange(len(e.gate_up_EDH), device=x.device)
        ends_E = of_expert_RE.sum(dim=0).cumsum(dim=0).to(torch.int32)
        of_expert_RE = of_expert_RE.to(dtype)  # a bias as a product: its gradient is one too, not a scatter

        rows_RD = _Take.apply(x_ND.to(dtype), pair_by_rank // K, rank_by_pair, K)

        def experts(rows, weight_Eio: Tensor, bias_Eo: Tensor) -> Tensor:
            return F.grouped_mm(rows, weight_Eio.to(dtype), offs=ends_E) + of_expert_RE @ bias_Eo.to(dtype)

        gate, up = experts(rows_RD, e.gate_up_EDH, e.gate_up_bias_EH).chunk(2, dim=-1)
        y_RD = experts(F.silu(gate) * up, e.down_EFD, e.down_bias_ED)
        y_NKD = _Take.apply(y_RD, rank_by_pair, pair_by_rank, 1).view(*weights_NK.shape, -1)
        return (y_NKD * weights_NK.unsqueeze(-1)).sum(dim=1).view_as(x)


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
        dtype = _compute_dtype(x)
        weights = {name: weight.to(dtype) for name, weight in self.block.named_parameters()}
        return torch.func.functional_call(self.block, weights, (x.to(dtype),))


class FusedAttention(nn.Module):
    """CausalSelfAttention by torch's fused kernel: no (T, T) scores in memory."""

    def __init__(self, attention: CausalSelfAttention):
        super().__init__()
        self.attention = attention

    def forward(self, x_BTD: Tensor) -> Tensor:
        B, T, D = x_BTD.shape
        qkv_BTD = self.attention.qkv(x_BTD)
        q_BHTd, k_BHTd, v_BHTd = qkv_BTD.view(B, T, 3, self.attention.heads, -1).permute(2, 0, 3, 1, 4)
        y_BHTd = F.scaled_dot_product_attention(q_BHTd, k_BHTd, v_BHTd, is_causal=True)
        return self.attention.out(y_BHTd.transpose(1, 2).reshape(B, T, D))


BLOCKS = {
    "dense": lambda ffn: ffn,
    "ours": lambda ffn: ffn,
    "loop": LoopMoE,
    "grouped": GroupedMoE,
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
        if attention == "fused":
            block.attention = FusedAttention(block.attention)
    return model


def _compute_dtype(x: Tensor) -> torch.dtype:
    """What autocast would compute products in."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
