"""Tokens per second of our Llama beside transformers', prefill and decode, and whether both say the same.

SmolLM2-135M-Instruct (data/prepared, from its GGUF, float32), batch 1. Prefill: a prompt in one pass into an empty KV
cache, logits of its last token. Decode: steps of one token behind that prompt, each the likeliest. `median_seconds` is
of a whole prompt or of one step. transformers reads the file by itself and is called as its `generate` does by default:
fused attention and a growing cache, without the bookkeeping of `generate`. `largest_logit_difference` is over all
positions of the prompts of data/texts/prompts.txt; `same_tokens` is the share of equal tokens when each continues them
greedily with its own `generate`. --tiny: a small random Llama, and random prompts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor, nn

from postproof.core import texts
from postproof.core.errors import DataError
from postproof.llama2.llama import Llama, LlamaConfig
from postproof.llama2.rope import pairs_to_halves
from postproof.measuring import checkout
from postproof.measuring.timing import NO_VALUE, Batch, Budget, Unavailable, side_by_side

BUDGET_SECONDS = 90
MODEL = "data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf"
PROMPTS = "data/texts/prompts.txt"
IMPLEMENTATIONS = ("ours", "transformers")
NEW_TOKENS = 8  # of a timed call
COMPARED_STEPS = 64
COMPARED = ("compared_prompts", "compared_steps", "largest_logit_difference", "same_tokens")
TINY = LlamaConfig(
    vocabulary=40, d_model=24, layers=2, heads=6, kv_heads=2, d_head=4, d_ffn=32, context=128, rope_base=10_000.0,
    norm_eps=1e-5, tied_head=False,
)  # fmt: skip


@torch.no_grad()
def measure(device: torch.device, tiny: bool) -> pd.DataFrame:
    lengths = (8,) if tiny else (64, 512)
    try:
        ours, theirs, prompts = tiny_models(device) if tiny else real_models(device)
        compared = comparison(ours, theirs, prompts, 8 if tiny else COMPARED_STEPS)
        results = timings(ours, theirs, prompts, lengths, device)
    except Unavailable as error:
        keys = [(name, phase, n) for n in lengths for phase in ("prefill", "decode") for name in IMPLEMENTATIONS]
        results, compared = {key: NO_VALUE | {"note": error.message} for key in keys}, {}
    rows = []
    for (name, phase, prompt_tokens), result in results.items():
        tokens, seconds = prompt_tokens if phase == "prefill" else 1, result["median_seconds"]
        labels = {"implementation": name, "phase": phase, "batch": 1, "prompt_tokens": prompt_tokens,
                  "new_tokens": NEW_TOKENS if phase == "decode" else 0, "dtype": "float32"}  # fmt: skip
        rate = {"tokens_per_second": tokens / seconds if seconds else None}
        rows.append(labels | rate | result | dict.fromkeys(COMPARED) | compared)
    return pd.DataFrame(rows)


def real_models(device: torch.device) -> tuple[Llama, nn.Module, list[Tensor]]:
    """Ours, transformers', both from the file, and the ids_1T of the prompts.

    Raises Unavailable when a library or the file is not there, DataError when the file is broken.
    """
    try:
        import accelerate  # noqa: F401 - transformers reads GGUF files with these two
        import gguf  # noqa: F401
        import transformers

        from postproof.llama2 import gguf_weights, tokenizer
    except ImportError as error:
        raise Unavailable("transformers, accelerate or gguf is not installed") from error
    path = checkout.root() / MODEL
    if not path.is_file():
        raise Unavailable(f"no model file: snakemake --cores 1 {MODEL}")
    reader = gguf_weights.read(path)
    ours, tokens = gguf_weights.load(reader, path), tokenizer.load(reader, path)
    transformers.utils.logging.disable_progress_bar()
    theirs = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    prompts = [torch.tensor([tokens.encode(text).ids], device=device) for text in read_prompts()]
    return on(ours, device), theirs.eval().to(device), prompts


def tiny_models(device: torch.device) -> tuple[Llama, nn.Module, list[Tensor]]:
    """A small random Llama twice, and prompts for it. Raises Unavailable without transformers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ours = Llama(TINY).eval()
        prompts = [torch.randint(TINY.vocabulary, (1, length)).to(device) for length in (3, 5, 9)]
    theirs = of_transformers(ours)
    return on(ours, device), theirs.to(device), prompts


def on(model: Llama, device: torch.device) -> Llama:
    return model.to(device).use(model.techniques)  # which makes its angles there


def read_prompts() -> list[str]:
    """The prompts on which the two are compared. Raises DataError when there are none."""
    path = checkout.root() / PROMPTS
    prompts = texts.read(path).splitlines() if path.is_file() else []
    if not prompts or not all(prompts):
        raise DataError("no prompts, or an empty one", file=path, remedy=f"git checkout {PROMPTS}")
    return prompts


def of_transformers(model: Llama) -> nn.Module:
    """transformers' model with the same weights: its layout is halves, so rows of q and k are reordered.

    Raises Unavailable when transformers is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise Unavailable("transformers is not installed") from error
    c = model.config
    sizes = transformers.LlamaConfig(
        vocab_size=c.vocabulary, hidden_size=c.d_model, num_hidden_layers=c.layers, num_attention_heads=c.heads,
        num_key_value_heads=c.kv_heads, head_dim=c.d_head, intermediate_size=c.d_ffn, rms_norm_eps=c.norm_eps,
        max_position_embeddings=c.context, tie_word_embeddings=c.tied_head,
        rope_parameters={"rope_type": "default", "rope_theta": c.rope_base},
    )  # fmt: skip
    theirs = transformers.LlamaForCausalLM(sizes)
    order = torch.from_numpy(pairs_to_halves(c.d_head))
    state = {"model.embed_tokens": model.token_embedding.weight, "model.norm": model.norm.gain}
    state["lm_head"] = (model.head or model.token_embedding).weight
    for i, block in enumerate(model.blocks):
        rows = [heads * c.d_head for heads in (c.heads, c.kv_heads, c.kv_heads)]
        q, k, v = block.attention.qkv.weight.split(rows)
        q, k = (w.view(-1, c.d_head, c.d_model)[:, order].flatten(0, 1) for w in (q, k))
        weights = {"self_attn.q_proj": q, "self_attn.k_proj": k, "self_attn.v_proj": v}
        weights |= {"self_attn.o_proj": block.attention.out.weight}
        weights |= {f"mlp.{name}_proj": getattr(block.ffn, name).weight for name in ("gate", "up", "down")}
        weights |= {"input_layernorm": block.attention_norm.gain, "post_attention_layernorm": block.ffn_norm.gain}
        state |= {f"model.layers.{i}.{name}": weight for name, weight in weights.items()}
    theirs.load_state_dict({f"{name}.weight": weight for name, weight in state.items()})
    return theirs.to(model.token_embedding.weight.dtype).eval().requires_grad_(False)


@torch.no_grad()
def comparison(ours: Llama, theirs: nn.Module, prompts: list[Tensor], steps: int) -> dict:
    """COMPARED by name."""
    difference = max((ours(ids_1T) - theirs(ids_1T).logits).abs().max().item() for ids_1T in prompts)
    equal = [(ours.generate(ids, steps) == greedy(theirs, ids, steps)).float().mean().item() for ids in prompts]
    return dict(zip(COMPARED, (len(prompts), steps, difference, sum(equal) / len(equal))))


def greedy(theirs: nn.Module, ids_1T: Tensor, steps: int) -> Tensor:
    """The `steps` likeliest tokens, (1, steps), by transformers' own loop; an end of text does not end it."""
    options = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0, "max_new_tokens": steps}
    return theirs.generate(ids_1T, attention_mask=torch.ones_like(ids_1T), **options)[:, ids_1T.shape[1] :]


def timings(ours: Llama, theirs: nn.Module, prompts: list[Tensor], lengths, device: torch.device) -> dict:
    """Results by (implementation, phase, prompt tokens); the two implementations of a phase take turns."""
    budget, results = Budget(BUDGET_SECONDS), {}
    for length in lengths:
        for phase, made in makers(ours, theirs, prompts, length).items():
            labelled = {(name, phase, length): make for name, make in made.items()}
            results |= side_by_side(labelled, device, budget, repeats=20, warm_up=2, limit_seconds=15)
    return results


def makers(ours: Llama, theirs: nn.Module, prompts: list[Tensor], length: int) -> dict[str, dict[str, Callable]]:
    """By phase and implementation, what makes the call to time: on the prompts in a row, so many tokens of them."""
    text_1T = torch.cat(prompts, dim=1)
    ids_1P = text_1T.repeat(1, -(-length // text_1T.shape[1]))[:, :length]
    models = dict(zip(IMPLEMENTATIONS, (Ours(ours), Theirs(theirs))))
    return {
        phase: {name: functools.partial(make, model, ids_1P) for name, model in models.items()}
        for phase, make in {"prefill": prefill, "decode": decode}.items()
    }


class Ours:
    def __init__(self, model: Llama):
        self.model = model

    def empty_cache(self, positions: int):
        return self.model.cache(1, positions)

    def next(self, ids_1T: Tensor, cache) -> Tensor:
        return self.model(ids_1T, cache, last_only=True).argmax(dim=-1)

    def back(self, cache, tokens: int) -> None:
        cache.length -= tokens


class Theirs:
    def __init__(self, model: nn.Module):
        self.model = model

    def empty_cache(self, positions: int):
        from transformers import DynamicCache

        return DynamicCache(config=self.model.config)

    def next(self, ids_1T: Tensor, cache) -> Tensor:
        return self.model(ids_1T, past_key_values=cache, logits_to_keep=1).logits.argmax(dim=-1)

    def back(self, cache, tokens: int) -> None:
        cache.crop(-tokens)


def prefill(model: Ours | Theirs, ids_1P: Tensor) -> Callable[[], Tensor]:
    """The likeliest token after a prompt."""

    @torch.no_grad()
    def call() -> Tensor:
        return model.next(ids_1P, model.empty_cache(ids_1P.shape[1]))

    return call


def decode(model: Ours | Theirs, ids_1P: Tensor) -> Batch:
    """NEW_TOKENS steps behind a prompt and its first new token; they are taken out of the cache again."""
    cache = model.empty_cache(ids_1P.shape[1] + NEW_TOKENS)
    with torch.no_grad():
        first_11 = model.next(ids_1P, cache)

    @torch.no_grad()
    def call() -> Tensor:
        token_11 = first_11
        for _ in range(NEW_TOKENS):
            token_11 = model.next(token_11, cache)
        model.back(cache, NEW_TOKENS)
        return token_11

    return Batch(call, NEW_TOKENS)
