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

    def grouped(self, rows_RD: Tensor, of_expert_RE: Tensor) -> Tensor:
        """The same in one product for all experts. `of_expert_RE`: which expert a row has; rows are sorted by it."""
        dtype = rows_RD.dtype
        ends_E = of_expert_RE.sum(dim=0).cumsum(dim=0).to(torch.int32)
        of_expert_RE = of_expert_RE.to(dtype)  # a bias as a product: its gradient is one too, not a scatter

        def all_at_once(rows_RI: Tensor, weight_EIO: Tensor, bias_EO: Tensor) -> Tensor:
            return F.grouped_mm(rows_RI, weight_EIO.to(dtype), offs=ends_E) + of_expert_RE @ bias_EO.to(dtype)

        gate_RF, up_RF = all_at_once(rows_RD, self.gate_up_EDH, self.gate_up_bias_EH).chunk(2, dim=-1)
        return all_at_once(F.silu(gate_RF) * up_RF, self.down_EFD, self.down_bias_ED)


class _Take(torch.autograd.Function):
    """rows[index], where each row is taken `copies` times, at the places `back` lists row by row.

    With `back` the gradient is a gather and a sum too, instead of a scatter with collisions, whose order is a GPU's.
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


def compute_dtype(x: Tensor) -> torch.dtype:
    """What autocast would compute products in; it does not know grouped ones."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


class MoE(nn.Module):
    """Sparse mixture of experts, (..., D) -> (..., D).

    Dispatch sorts the N K (token, slot) pairs by expert, so that each expert works on one contiguous slice; the
    outputs go back by the inverse permutation and are summed over the K slots with the router's weights.

    `grouped`: one product for all experts, and the host never reads how many rows an expert has, so that it does not
    wait for a GPU. On a CPU a product for each expert is faster, and it is the one that exact mode pins.

    Raises ValueError unless 1 <= top_k <= experts. N may be any number, also less than E; an expert may get no token.
    """

    grouped = False

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
        y_NKD = (self._grouped if self.grouped else self._one_by_one)(x_ND, expert_ids_NK)
        return (y_NKD * weights_NK.unsqueeze(-1)).sum(dim=1).view_as(x)

    def _one_by_one(self, x_ND: Tensor, expert_ids_NK: Tensor) -> Tensor:
        """What the chosen experts say of each token, (N, K, D)."""
        pair_by_rank = expert_ids_NK.flatten().argsort(stable=True)
        rank_by_pair = torch.empty_like(pair_by_rank)
        rank_by_pair[pair_by_rank] = torch.arange(len(pair_by_rank), device=x_ND.device)
        rows_per_expert = expert_ids_NK.flatten().bincount(minlength=self.router.out_features).tolist()

        # index_select has the same bits as indexing with brackets, and is several times faster on a CPU.
        sorted_rows_RD = x_ND.index_select(0, pair_by_rank // self.top_k)
        y_RD = self.experts(sorted_rows_RD, rows_per_expert)
        return y_RD.index_select(0, rank_by_pair).view(*expert_ids_NK.shape, x_ND.shape[-1])

    def _grouped(self, x_ND: Tensor, expert_ids_NK: Tensor) -> Tensor:
        """The same, with grouped products."""
        ids_by_rank, pair_by_rank = expert_ids_NK.flatten().sort(stable=True)
        rank_by_pair = torch.empty_like(pair_by_rank)
        rank_by_pair[pair_by_rank] = torch.arange(len(pair_by_rank), device=x_ND.device)
        of_expert_RE = ids_by_rank[:, None] == torch.arange(self.router.out_features, device=x_ND.device)
        rows_RD = _Take.apply(x_ND.to(compute_dtype(x_ND)), pair_by_rank // self.top_k, rank_by_pair, self.top_k)
        y_RD = self.experts.grouped(rows_RD, of_expert_RE)
        return _Take.apply(y_RD, rank_by_pair, pair_by_rank, 1).view(*expert_ids_NK.shape, -1)
