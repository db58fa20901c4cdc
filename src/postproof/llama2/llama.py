"""A Llama: RoPE, RMSNorm, grouped-query attention and SwiGLU; each of the first three can be taken out.

Shapes: B batch, T new tokens, S positions so far, D d_model, F hidden width, H query heads, G key-value heads, d head
dimension, V vocabulary. No biases, no dropout. Touvron et al. 2023, "LLaMA" (section 2.2) and "Llama 2" (section 2.2).
"""

from __future__ import annotations

import copy
import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from postproof.core.linalg import Linear, matmul
from postproof.llama2 import rope
from postproof.llama2.gqa import KVCache, group_size, grouped_query_attention
from postproof.llama2.rms_norm import RMSNorm, layer_norm


@dataclasses.dataclass(frozen=True)
class LlamaConfig:
    """Sizes of a Llama. `tied_head`: the logits' matrix is the token embedding."""

    vocabulary: int
    d_model: int
    layers: int
    heads: int
    kv_heads: int
    d_head: int
    d_ffn: int
    context: int
    rope_base: float
    norm_eps: float
    tied_head: bool


@dataclasses.dataclass(frozen=True)
class Techniques:
    """What the forward pass uses.

    `norm`: rms, layer (the mean taken off first), fixed (divides all tokens by one number, the norm's `fixed_rms`) or
    none (the gain alone).
    """

    rope: bool = True
    norm: str = "rms"
    first_position: int = 0  # of the sequence: scores know distances only, so any choice should give the same

    def __post_init__(self):
        if self.norm not in ("rms", "layer", "fixed", "none"):
            raise ValueError(f"norm is {self.norm!r}; it must be rms, layer, fixed or none")


class Norm(RMSNorm):
    """RMSNorm; or, with the same gains, one of the other kinds of `Techniques.norm`."""

    kind = "rms"
    fixed_rms = 1.0

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "rms":
            return super().forward(x)
        if self.kind == "layer":
            return layer_norm(x, self.gain, None, self.eps)
        return self.gain * (x / self.fixed_rms if self.kind == "fixed" else x)


class Attention(nn.Module):
    """Grouped-query attention of one layer.

    `mix`: what reads or replaces how values are mixed, for whoever studies the heads. It is given q_BHTd and k_BGSd,
    turned, and v_BGSd, and gives (B, T, H d), the heads side by side, in place of the layer's own attention.
    """

    mix = None

    def __init__(self, config: LlamaConfig, layer: int):
        super().__init__()
        group_size(config.heads, config.kv_heads)
        self.layer, self.heads, self.d_head = layer, config.heads, config.d_head
        self.qkv = Linear(config.d_model, (config.heads + 2 * config.kv_heads) * config.d_head, bias=False)
        self.out = Linear(config.heads * config.d_head, config.d_model, bias=False)

    def forward(self, x_BTD: Tensor, turn, cache: KVCache | None, queries: int) -> Tensor:
        """Of the last `queries` tokens, (B, queries, D). The others give keys and values."""
        B, T, _ = x_BTD.shape
        heads = self.qkv(x_BTD).view(B, T, -1, self.d_head).transpose(1, 2)
        kv_heads = (heads.shape[1] - self.heads) // 2
        qk, v_BGSd = heads.split([self.heads + kv_heads, kv_heads], dim=1)
        q_BHTd, k_BGSd = turn(qk).split([self.heads, kv_heads], dim=1)
        if cache is not None:
            k_BGSd, v_BGSd = cache.append(self.layer, k_BGSd, v_BGSd)
        if self.mix is not None:
            return self.out(self.mix(q_BHTd, k_BGSd, v_BGSd)[:, -queries:])
        y_BHTd = grouped_query_attention(q_BHTd[:, :, -queries:], k_BGSd, v_BGSd)
        return self.out(y_BHTd.transpose(1, 2).reshape(B, queries, -1))


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)) (Shazeer 2020, eq. 6). As one product gate and up were slower: long strided rows."""

    def __init__(self, config: LlamaConfig):
        super().__init__()
        self.gate, self.up = (Linear(config.d_model, config.d_ffn, bias=False) for _ in range(2))
        self.down = Linear(config.d_ffn, config.d_model, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x_BTD)) * self.up(x_BTD))


class Block(nn.Module):
    """x + attention(norm(x)), then x + ffn(norm(x)): pre-norm. Of the last `queries` tokens."""

    def __init__(self, config: LlamaConfig, layer: int):
        super().__init__()
        self.attention_norm, self.ffn_norm = (Norm(config.d_model, config.norm_eps) for _ in range(2))
        self.attention, self.ffn = Attention(config, layer), SwiGLU(config)

    def forward(self, x_BTD: Tensor, turn, cache: KVCache | None, queries: int) -> Tensor:
        x_BTD = x_BTD[:, -queries:] + self.attention(self.attention_norm(x_BTD), turn, cache, queries)
        return x_BTD + self.ffn(self.ffn_norm(x_BTD))


class Llama(nn.Module):
    """Token ids (B, T) to logits (B, T, V).

    With a cache the T tokens follow those in it. Raises ValueError when kv_heads does not divide heads, or for more
    positions than the context; ParamsError for an odd head dimension.
    """

    def __init__(self, config: LlamaConfig, techniques: Techniques = Techniques()):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocabulary, config.d_model)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.norm = Norm(config.d_model, config.norm_eps)
        self.head = None if config.tied_head else Linear(config.d_model, config.vocabulary, bias=False)
        self.use(techniques)

    def use(self, techniques: Techniques) -> Llama:
        """Switches techniques; weights stay. To be called again after a move to another device. Returns itself."""
        self.techniques = techniques
        for module in self.modules():
            if isinstance(module, Norm):
                module.kind = techniques.norm
        # Angles of rotation, not weights: outside the state dict, and made anew when base or device changes.
        c, device = self.config, self.token_embedding.weight.device
        self.cos_sin = rope.table(c.context, c.d_head, c.rope_base, device=device)
        return self

    def forward(self, ids_BT: Tensor, cache: KVCache | None = None, last_only: bool = False) -> Tensor:
        T = ids_BT.shape[1]
        start = self.techniques.first_position + (0 if cache is None else cache.length)
        if start + T > self.config.context:
            raise ValueError(f"{start + T} positions; the model is for `context` = {self.config.context}")

        def turn(x_BHTd: Tensor) -> Tensor:
            if not self.techniques.rope:
                return x_BHTd
            return rope.rotate_torch(x_BHTd, range(start, start + T), self.cos_sin, layout="pairs")

        *blocks, last_block = self.blocks
        x_BTD = self.token_embedding(ids_BT)
        for block in blocks:
            x_BTD = block(x_BTD, turn, cache, queries=T)
        # Behind the last block nothing looks at the earlier tokens again.
        x_BTD = last_block(x_BTD, turn, cache, queries=1 if last_only else T)
        if cache is not None:
            cache.length += T
        x_BTD = self.norm(x_BTD)
        if self.head is not None:
            return self.head(x_BTD)
        return matmul(x_BTD.flatten(0, 1), self.token_embedding.weight.T).view(*x_BTD.shape[:-1], -1)

    def cache(self, batch: int, positions: int) -> KVCache:
        """An empty cache for this model, in the dtype and on the device of its weights."""
        weight, c = self.token_embedding.weight, self.config
        return KVCache(c.layers, batch, c.kv_heads, positions, c.d_head, dtype=weight.dtype, device=weight.device)

    @torch.no_grad()
    def generate(self, ids_BT: Tensor, steps: int) -> Tensor:
        """The `steps` likeliest tokens one after the other, (B, steps); each new token is one pass of length 1."""
        cache = self.cache(len(ids_BT), ids_BT.shape[1] + steps)
        new_B1 = self(ids_BT, cache, last_only=True).argmax(dim=-1)
        tokens = [new_B1]
        for _ in range(steps - 1):
            new_B1 = self(new_B1, cache, last_only=True).argmax(dim=-1)
            tokens.append(new_B1)
        return torch.cat(tokens, dim=1)


def with_kv_heads(model: Llama, kv_heads: int) -> Llama:
    """A copy with another number of key-value heads: repeated where more, the mean of each group where fewer.

    Repeated heads are the same function (GQA is MHA with repeated K and V). The mean is how Ainslie et al. (section
    2.1) start before training on; without that training it shows what the heads carry.
    Raises ValueError unless one of the two numbers divides the other, and kv_heads divides heads.
    """
    c, d = model.config, model.config.d_head
    group_size(c.heads, kv_heads)
    with torch.device("meta"):
        other = Llama(dataclasses.replace(c, kv_heads=kv_heads))
    state = copy.copy(model.state_dict())
    for name in [name for name in state if name.endswith("qkv.weight")]:
        q_rows, *kv = state[name].split([c.heads * d, c.kv_heads * d, c.kv_heads * d])
        if kv_heads >= c.kv_heads:
            repeats = group_size(kv_heads, c.kv_heads)
            kv = [w.view(c.kv_heads, d, -1).repeat_interleave(repeats, dim=0).flatten(0, 1) for w in kv]
        else:
            group = group_size(c.kv_heads, kv_heads)
            kv = [w.view(kv_heads, group, d, -1).mean(dim=1).flatten(0, 1) for w in kv]
        state[name] = torch.cat([q_rows, *kv])
    other.load_state_dict(state, assign=True)
    return other.use(model.techniques)
