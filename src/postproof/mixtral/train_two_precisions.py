"""The same balance run in float32 and float64, step by step, up to where their routers choose other experts and beyond.

Two experts that are nearly level fall one way in one arithmetic and the other way in another; from there on the runs
part. Both start from the same weights, drawn in float32, and see the same batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from postproof.core import files, settings
from postproof.data import prepare_corpus
from postproof.mixtral.draws import BalanceAsRun
from postproof.mixtral.routing import expert_ids, router_logits
from postproof.mixtral.settings import ModelSizes, RouterBalanceSettings
from postproof.mixtral.train_router_balance import RouterBalanceRun


def add_arguments(parser) -> None:
    parser.add_argument("--arm", choices=("no_aux", "with_aux"), required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True, help="how far to go")
    parser.add_argument("--model", required=True, help="params section with the model's sizes, as JSON")
    parser.add_argument("--training", nargs="+", required=True, help="params sections of the training, as JSON")
    parser.add_argument("--corpus", type=Path, required=True, help="prepared corpus, safetensors")
    parser.add_argument("--out-rows", type=Path, required=True, help="CSV, one row per step")


def main(args) -> None:
    sizes, balance = settings.parse(ModelSizes, args.model), settings.parse(RouterBalanceSettings, *args.training)
    corpus = prepare_corpus.load(args.corpus)
    single, double = (
        RouterBalanceRun(args.arm, args.seed, sizes, balance, corpus, torch.device("cpu"), None, BalanceAsRun)
        for _ in range(2)
    )
    double.model.double()
    files.write_csv(args.out_rows, pd.DataFrame(side_by_side(single, double, args.steps)))


def side_by_side(single: RouterBalanceRun, double: RouterBalanceRun, steps: int) -> Iterator[dict]:
    """A row per step: both losses, how many choices of experts differ, and the first of these by layer and token.

    The margin is what the last chosen expert's logit is above the first one's that is not chosen.
    """
    for step in range(1, steps + 1):
        losses, logits = [], []
        for run in (single, double):
            with router_logits(run.model) as by_layer:
                losses.append(run.train_step().item())
            logits.append(torch.stack([logits_NE.detach().double() for logits_NE in by_layer]))
        row = {"arm": single.arm, "seed": single.seed, "step": step}
        row |= {"train_loss_float32": losses[0], "train_loss_float64": losses[1]}
        yield row | differing(*logits, single.sizes.top_k)


def differing(single_LNE: Tensor, double_LNE: Tensor, top_k: int) -> dict:
    """Tokens, over all layers, whose chosen experts are not the same; layer (from 1), token (from 0) of the first."""
    chosen = [expert_ids(logits_LNE, top_k).sort(dim=-1).values for logits_LNE in (single_LNE, double_LNE)]
    other_LN = (chosen[0] != chosen[1]).any(dim=-1)
    row = {"choices": other_LN.numel(), "differing": int(other_LN.sum())}
    row |= dict.fromkeys(("layer", "token", "margin_float32", "margin_float64"))
    if row["differing"]:
        layer, token = other_LN.nonzero()[0].tolist()
        margins = [margin(logits_LNE[layer, token], top_k) for logits_LNE in (single_LNE, double_LNE)]
        row |= {"layer": layer + 1, "token": token, "margin_float32": margins[0], "margin_float64": margins[1]}
    return row


def margin(logits_E: Tensor, top_k: int) -> float:
    highest = logits_E.sort(descending=True).values
    return (highest[top_k - 1] - highest[top_k]).item()
