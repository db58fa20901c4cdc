"""Split the FLOPs of one training step by part and pass: as posted, as torch counts them, and with a causal mask used.

    posted     the formula of mixtral/flops.py, term by term; backward is twice forward
    counted    torch's own counter over a forward and a backward pass of our modules: matrix products and nothing else
    causal     as posted, but with scores for the T (T + 1) / 2 pairs that the mask leaves instead of all T^2

    part                    forward FLOPs, all layers                                posted  counted
    attention_projections   8 L B T D^2   q, k, v, out                               yes     yes
    attention_scores        4 L B T^2 D   q k^T, and the weights times v             yes     yes
    ffn                     6 L B T D F   gate, up, down; F is K F_expert for MoE    yes     yes
    router_product          2 L B T D E   of MoE only                                yes     yes
    router_arithmetic       5 L B T E     softmax and top-k, of MoE only             yes     no: no product
    head                    2 B T D V                                                no      yes

    counted - posted = head - router_arithmetic

Letters: B batch, T sequence, D d_model, L layers, E experts, K chosen per token, V vocabulary.
Neither counts what is no product: softmax, norms, activations, sorting and moving tokens, the optimiser.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from postproof.core import settings, tables
from postproof.core.linalg import through_torch
from postproof.mixtral.flops import ffn_flops
from postproof.mixtral.model import ARMS, Decoder
from postproof.mixtral.parameters import read_vocabulary_size
from postproof.mixtral.settings import ModelSizes

PARTS = ("attention_projections", "attention_scores", "ffn", "router_product", "router_arithmetic", "head")
PASSES = ("forward", "backward")
BACKWARD_OVER_FORWARD = 2  # by the posted formula: the gradient of each factor is a product of the same size


def add_arguments(parser) -> None:
    parser.add_argument("--model", required=True, help="params section with the model's sizes, as JSON")
    parser.add_argument("--batch", type=int, required=True, help="sequences in a training batch")
    parser.add_argument("--corpus-info", type=Path, required=True, help="JSON of the prepared corpus")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV")


def main(args) -> None:
    sizes = settings.parse(ModelSizes, args.model)
    table = tabulate(sizes, args.batch, read_vocabulary_size(args.corpus_info))
    tables.write(args.out, table, "mixtral/flop_breakdown")


def tabulate(sizes: ModelSizes, batch: int, vocabulary: int) -> pd.DataFrame:
    """Every part and pass has a row in each arm and accounting; what an accounting leaves out is 0."""
    rows = []
    for arm in ARMS:
        accountings = {
            "posted": posted(arm, sizes, batch),
            "counted": counted(arm, sizes, batch, vocabulary),
            "causal": causal(arm, sizes, batch),
        }
        for accounting, flops in accountings.items():
            rows += [(arm, accounting, part, which, flops[part, which]) for part in PARTS for which in PASSES]
    return pd.DataFrame(rows, columns=["arm", "accounting", "part", "pass", "flops"])


def posted(arm: str, sizes: ModelSizes, batch: int) -> Counter[tuple[str, str]]:
    """FLOPs by part and pass; their sum is flops.step_flops(arm, sizes, batch)."""
    B, T, D, E = batch, sizes.sequence, sizes.d_model, sizes.experts
    routed = arm == "moe"
    forward_per_layer = {
        "attention_projections": 8 * B * T * D**2,
        "attention_scores": 4 * B * T**2 * D,
        "ffn": ffn_flops(arm, sizes, batch),
        "router_product": routed * 2 * B * T * D * E,
        "router_arithmetic": routed * 5 * B * T * E,
    }
    flops: Counter[tuple[str, str]] = Counter()
    for part, forward in forward_per_layer.items():
        flops[part, "forward"] = sizes.layers * forward
        flops[part, "backward"] = BACKWARD_OVER_FORWARD * sizes.layers * forward
    return flops


def causal(arm: str, sizes: ModelSizes, batch: int) -> Counter[tuple[str, str]]:
    """As `posted`, with scores and their use only for the pairs (t, s <= t): (T + 1) / 2 of T keys on average."""
    flops, T = posted(arm, sizes, batch), sizes.sequence
    for which in PASSES:
        flops["attention_scores", which] = flops["attention_scores", which] * (T + 1) // (2 * T)
    return flops


def counted(arm: str, sizes: ModelSizes, batch: int, vocabulary: int) -> Counter[tuple[str, str]]:
    """FLOPs by part and pass of the products that torch does in one step, forward and backward.

    Any tokens give the same counts: however they are routed, the experts together get K rows per token.
    """
    model, ids_BT, targets_BT = step_inputs(arm, sizes, batch, vocabulary)
    with through_torch(), FlopCounterMode(display=False) as counter:
        loss = model.loss(ids_BT, targets_BT)
        forward = by_part(counter)
        loss.backward()
    both = by_part(counter)
    flops = Counter({(part, "forward"): count for part, count in forward.items()})
    flops.update({(part, "backward"): both[part] - forward[part] for part in both})
    return flops


def by_part(counter: FlopCounterMode) -> dict[str, int]:
    """What the counter has so far. It books a product under its module and every module around that one."""
    by_module = {name: sum(operations.values()) for name, operations in counter.get_flop_counts().items()}

    def in_layers(module: str) -> int:
        return sum(flops for name, flops in by_module.items() if name.endswith(f".{module}"))

    projections = in_layers("attention.qkv") + in_layers("attention.out")
    return {
        "attention_projections": projections,
        "attention_scores": in_layers("attention") - projections,
        "ffn": in_layers("ffn") - in_layers("ffn.router"),
        "router_product": in_layers("ffn.router"),
        "head": in_layers("head"),
    }


def step_inputs(arm: str, sizes: ModelSizes, batch: int, vocabulary: int) -> tuple[Decoder, Tensor, Tensor]:
    """A fresh model without gradients, and random tokens and targets (B, T)."""
    torch.manual_seed(0)
    model = Decoder(arm, sizes, vocabulary)
    ids_BT, targets_BT = torch.randint(vocabulary, (2, batch, sizes.sequence))
    return model, ids_BT, targets_BT
