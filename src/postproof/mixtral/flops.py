"""FLOPs of one training step, counted as the post counts them.

A product (M, K) x (K, N) is 2 M K N FLOPs, and backward costs twice forward, so a step is 3 x forward. Per layer:

    attention     8 B T D^2 + 4 B T^2 D       q, k, v, out: 2 B T D^2 each; scores and their use: 2 B T^2 D each
    dense FFN     6 B T D F                   gate, up, down
    MoE FFN       6 B T D F_expert K          the K chosen experts
    router        2 B T D E + 5 B T E         its product, and about 5 FLOPs per logit for softmax and top-k

Left out: embeddings, head, norms, biases, softmax, activations, and the causal mask's saving (T^2 is counted whole).
"""

from __future__ import annotations

from postproof.mixtral.settings import ModelSizes


def attention_flops(sizes: ModelSizes, batch: int) -> int:
    B, T, D = batch, sizes.sequence, sizes.d_model
    return 8 * B * T * D**2 + 4 * B * T**2 * D


def ffn_flops(arm: str, sizes: ModelSizes, batch: int) -> int:
    width = sizes.dense_ffn if arm == "dense" else sizes.expert_ffn * sizes.top_k
    return 6 * batch * sizes.sequence * sizes.d_model * width


def router_flops(arm: str, sizes: ModelSizes, batch: int) -> int:
    if arm == "dense":
        return 0
    tokens = batch * sizes.sequence
    return 2 * tokens * sizes.d_model * sizes.experts + 5 * tokens * sizes.experts


def step_flops(arm: str, sizes: ModelSizes, batch: int) -> int:
    """FLOPs of one forward and backward pass over (batch, sequence) tokens."""
    per_layer = attention_flops(sizes, batch) + ffn_flops(arm, sizes, batch) + router_flops(arm, sizes, batch)
    return 3 * sizes.layers * per_layer
