"""The two feed-forward blocks of the race: one dense SwiGLU, and a sparse mixture of small ones.

Shapes: N tokens (batch x time), D d_model, F hidden width, E experts, K experts chosen per token.

SwiGLU (Shazeer 2020, "GLU variants improve Transformer", eq. 6):   down(silu(gate(x)) * up(x))
Mixture (Jiang et al. 2024, "Mixtral of Experts", section 2.1):      y = sum_{i in top-K} p_i E_i(x),
with p the softmax over the K chosen router logits only.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from postproof.core.linalg import Linear, matmul


class SwiGLU(nn.Module):
    """Dense feed-forward block, (..., D) -> (..., D). Gate and up are one product of width 2F."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.gate_up = Linear(d_model, 2 * d_ff)
        self.down = Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


class Experts(nn.Module):
    """E SwiGLU networks with their weights stacked, each applied to its own slice of the rows.

    Initialised as E separate `nn.Linear` would be: uniform within 1 / sqrt(fan_in), biases too.
    """

    def __init__(self, experts: int, d_model: int, d_ff: int):
        super().__init__()
        self.gate_up_EDH = nn.Parameter(torch.empty(experts, d_model, 2 * d_ff))
        self.gate_up_bias_EH = nn.Parameter(torch.empty(experts, 2 * d_ff))
        self.down_EFD = nn.Parameter(torch.empty(experts, d_ff, d_model))
        self.down_bias_ED = nn.Parameter(torch.empty(experts, d_model))
        for parameter, fan_in in [
            (self.gate_up_EDH, d_model),
            (self.gate_up_bias_EH, d_model),
            (self.down_EFD, d_ff),
            (self.down_bias_ED, d_ff),
        ]:
            nn.init.uniform_(parameter, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def forward(self, rows_RD: Tensor, rows_per_expert: list[int]) -> Tensor:
        """Rows sorted by expert, and how many each expert has (their sum is R). An expert may have none."""

        def each_with_its_own(rows_RI: Tensor, weight_EIO: Tensor, bias_EO: Tensor) -> Tensor:
            # unbind gives views of the stack: one gradient buffer for all experts, not a zero-filled one for each.
            slices = zip(rows_RI.split(rows_per_expert), weight_EIO.unbind(), bias_EO.unbind())
            return torch.cat([matmul(x_NI, weight_IO).add_(bias_O) for x_NI, weight_IO, bias_O in slices])

        # Only the products go expert by expert; the activation takes all rows at once.
        gate_RF, up_RF = each_with_its_own(rows_RD, self.gate_up_EDH, self.gate_up_bias_EH).chunk(2, dim=-1)
        return each_with_its_own(F.silu(gate_RF) * up_RF, self.down_EFD, self.down_bias_ED)


class MoE(nn.Module):
    """Sparse mixture of experts, (..., D) -> (..., D).

    Dispatch sorts the N K (token, slot) pairs by expert, so that each expert works on one contiguous slice; the
    outputs go back by the inverse permutation and are summed over the K slots with the router's weights.

    Raises ValueError unless 1 <= top_k <= experts. N may be any number, also less than E; an expert may get no token.
    """

    def __init__(self, d_model: int, d_ff: int, experts: int, top_k: int):
        super().__init__()
        if not 1 <= top_k <= experts:
            raise ValueError(f"top_k is {top_k}; it must be from 1 to the number of experts, {experts}")
        self.top_k = top_k
        self.router = Linear(d_model, experts)
        self.experts = Experts(experts, d_model, d_ff)

    def route(self, x_ND: Tensor) -> tuple[Tensor, Tensor]:
        """Expert ids and their weights, both (N, K), the likeliest expert first; the weights of a token sum to 1."""
        top_logits_NK, expert_ids_NK = self.router(x_ND).topk(self.top_k, dim=-1)
        return expert_ids_NK, top_logits_NK.softmax(dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        x_ND = x.reshape(-1, x.shape[-1])
        expert_ids_NK, weights_NK = self.route(x_ND)

        pair_by_rank = expert_ids_NK.flatten().argsort(stable=True)
        rank_by_pair = torch.empty_like(pair_by_rank)
        rank_by_pair[pair_by_rank] = torch.arange(len(pair_by_rank), device=x.device)
        rows_per_expert = expert_ids_NK.flatten().bincount(minlength=self.router.out_features).tolist()

        # index_select has the same bits as indexing with brackets, and is several times faster on a CPU.
        sorted_rows_RD = x_ND.index_select(0, pair_by_rank // self.top_k)
        y_RD = self.experts(sorted_rows_RD, rows_per_expert)
        y_NKD = y_RD.index_select(0, rank_by_pair).view(*weights_NK.shape, x.shape[-1])
        return (y_NKD * weights_NK.unsqueeze(-1)).sum(dim=1).view_as(x)
