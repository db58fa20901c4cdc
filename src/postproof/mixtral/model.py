"""The decoder of the race: one Transformer whose feed-forward block is dense or a mixture of experts.

Decoder-only, pre-norm LayerNorm, learned positions, biases in every linear layer but the untied head, no dropout.
Shapes: B batch, T time, D d_model, H heads, V vocabulary.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from postproof.core.linalg import Linear, matmul
from postproof.mixtral.moe import MoE, SwiGLU
from postproof.mixtral.settings import ModelSizes

ARMS = ("dense", "moe")


class CausalSelfAttention(nn.Module):
    """Multi-head attention; position t sees positions 0..t.

    `mix`: what reads or replaces how values are mixed, for whoever studies the heads. It is given q_BHTd, k_BHTd and
    v_BHTd and gives (B, T, D), the heads side by side, in place of the layer's own attention.
    `fused`: by torch's kernel, without scores (B, H, T, T) in memory.
    """

    mix = None
    fused = False

    def __init__(self, d_model: int, heads: int, sequence: int):
        super().__init__()
        self.heads = heads
        self.qkv = Linear(d_model, 3 * d_model)
        self.out = Linear(d_model, d_model)
        # Added, not filled in: the gradient then needs no pass of its own. 0 up to the present, -inf in the future.
        mask_TT = torch.full((sequence, sequence), -math.inf).triu(diagonal=1)
        self.register_buffer("mask_TT", mask_TT, persistent=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        B, T, D = x_BTD.shape
        q_BHTd, k_BHTd, v_BHTd = self.qkv(x_BTD).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if self.mix is not None:
            return self.out(self.mix(q_BHTd, k_BHTd, v_BHTd))
        if self.fused:
            y_BHTd = F.scaled_dot_product_attention(q_BHTd, k_BHTd, v_BHTd, is_causal=True)
            return self.out(y_BHTd.transpose(1, 2).reshape(B, T, D))
        # In place: nothing else sees a product before it is scaled and masked.
        scores_BHTT = matmul(q_BHTd, k_BHTd.mT).div_(math.sqrt(D // self.heads))
        weights_BHTT = scores_BHTT.add_(self.mask_TT[:T, :T].to(scores_BHTT.dtype)).softmax(dim=-1)
        return self.out(matmul(weights_BHTT, v_BHTd).transpose(1, 2).reshape(B, T, D))


class Block(nn.Module):
    """x + attention(norm(x)), then x + ffn(norm(x))."""

    def __init__(self, sizes: ModelSizes, ffn: nn.Module):
        super().__init__()
        self.attention_norm = nn.LayerNorm(sizes.d_model)
        self.attention = CausalSelfAttention(sizes.d_model, sizes.heads, sizes.sequence)
        self.ffn_norm = nn.LayerNorm(sizes.d_model)
        self.ffn = ffn

    def forward(self, x_BTD: Tensor) -> Tensor:
        x_BTD = x_BTD + self.attention(self.attention_norm(x_BTD))
        return x_BTD + self.ffn(self.ffn_norm(x_BTD))


class Decoder(nn.Module):
    """Token ids (B, T) to logits (B, T, V). Raises ValueError when T is more than `sizes.sequence`."""

    def __init__(self, arm: str, sizes: ModelSizes, vocabulary: int):
        super().__init__()
        make_ffn = {
            "dense": lambda: SwiGLU(sizes.d_model, sizes.dense_ffn),
            "moe": lambda: MoE(sizes.d_model, sizes.expert_ffn, sizes.experts, sizes.top_k),
        }[arm]
        self.token_embedding = nn.Embedding(vocabulary, sizes.d_model)
        self.position_embedding = nn.Embedding(sizes.sequence, sizes.d_model)
        self.blocks = nn.ModuleList(Block(sizes, make_ffn()) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(sizes.d_model)
        self.head = Linear(sizes.d_model, vocabulary, bias=False)

    def with_fused_kernels(self) -> Decoder:
        """Has attention and the mixture computed as it is fastest on a GPU; the same up to rounding. Returns itself."""
        for block in self.blocks:
            block.attention.fused = True
            if isinstance(block.ffn, MoE):
                block.ffn.grouped = True
        return self

    def forward(self, ids_BT: Tensor) -> Tensor:
        T, sequence = ids_BT.shape[1], self.position_embedding.num_embeddings
        if T > sequence:
            raise ValueError(f"{T} tokens in a sequence; the model has learned positions for `sequence` = {sequence}")
        x_BTD = self.token_embedding(ids_BT) + self.position_embedding.weight[:T]
        for block in self.blocks:
            x_BTD = block(x_BTD)
        return self.head(self.norm(x_BTD))

    def loss(self, ids_BT: Tensor, targets_BT: Tensor) -> Tensor:
        """Mean cross-entropy in nats per token."""
        return F.cross_entropy(self(ids_BT).flatten(0, 1), targets_BT.flatten())
