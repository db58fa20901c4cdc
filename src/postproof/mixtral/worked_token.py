"""Route one token, given its router logits, with the routing code of the model: who is chosen, with which weights.

The router is left out, so that `MoE.route` takes the logits as they are; in float64.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from postproof.core import tables
from postproof.mixtral.moe import MoE


def add_arguments(parser) -> None:
    parser.add_argument("--logits", required=True, help="JSON list, one number per expert")
    parser.add_argument("--top-k", type=int, required=True, help="experts to choose")
    parser.add_argument("--out", type=Path, required=True, help="CSV, one row per expert")


def main(args) -> None:
    logits = [float(logit) for logit in json.loads(args.logits)]
    tables.write(args.out, route(logits, args.top_k), "mixtral/worked_token")


def route(logits: Sequence[float], top_k: int) -> pd.DataFrame:
    """One row per expert, in the order of the logits; weights as in Jiang et al. 2024, section 2.1."""
    moe = MoE(d_model=1, d_ff=1, experts=len(logits), top_k=top_k)
    moe.router = nn.Identity()
    logits_E = torch.tensor(logits, dtype=torch.float64)
    (expert_ids_K,), (weights_K,) = moe.route(logits_E[None])

    weight_by_expert = dict(zip(expert_ids_K.tolist(), weights_K.tolist()))
    return pd.DataFrame(
        {
            "expert": expert,
            "logit": logit,
            "chosen": int(expert in weight_by_expert),
            "weight": weight_by_expert.get(expert, 0.0),
            "probability": probability,
        }
        for expert, (logit, probability) in enumerate(zip(logits, logits_E.softmax(dim=0).tolist()))
    )
