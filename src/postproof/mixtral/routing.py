"""What routers do: their logits during a forward pass, the auxiliary loss on them, and counts of their choices.

Shapes: N tokens, B batch, T time, E experts, K slots (the experts chosen per token, likeliest first), L layers,
V vocabulary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from postproof.mixtral.model import Decoder


@contextlib.contextmanager
def router_logits(model: Decoder) -> Iterator[list[Tensor]]:
    """Yields a list that gets the logits (N, E) of each layer's router, in order, as forward passes go on."""
    logits: list[Tensor] = []
    hooks = [
        block.ffn.router.register_forward_hook(lambda router, inputs, logits_NE: logits.append(logits_NE))
        for block in model.blocks
    ]
    try:
        yield logits
    finally:
        for hook in hooks:
            hook.remove()


def auxiliary_loss(logits_NE: Tensor) -> Tensor:
    """E sum_i f_i p_i of N rows, one layer's or more (Fedus et al. 2022, "Switch Transformers", equations 4 to 6).

    f_i is the share of tokens whose likeliest expert is i, p_i the mean over the tokens of the softmax over all E
    logits. Gradients reach the router through p alone. Even routing gives 1, all tokens on one expert E. It is 1 at
    least where f and p agree (E sum p_i^2 >= 1, Cauchy-Schwarz); where they do not it can be less.
    """
    N, E = logits_NE.shape
    f_E = logits_NE.argmax(dim=-1).bincount(minlength=E).to(logits_NE.dtype) / N
    p_E = logits_NE.softmax(dim=-1).mean(dim=0)
    return E * (f_E * p_E).sum()


class RoutingCounts:
    """Sums over the steps of one window between two checkpoints.

    choices_LKVE: how often a token of id v was sent to expert e, by layer and slot. probability_LE and aux_loss_L: mean
    over the steps of p and of the auxiliary loss; aux_loss_pooled_1: of the loss over the rows of all layers, and
    aux_loss_last_1: that loss at the last step.
    """

    def __init__(self, layers: int, top_k: int, vocabulary: int, experts: int):
        self.choices_LKVE = torch.zeros(layers, top_k, vocabulary, experts, dtype=torch.int64)
        self.probability_sum_LE = torch.zeros(layers, experts, dtype=torch.float64)
        self.aux_loss_sum_L = torch.zeros(layers, dtype=torch.float64)
        self.aux_loss_pooled_sum_1 = torch.zeros(1, dtype=torch.float64)
        self.aux_loss_last_1 = torch.zeros(1, dtype=torch.float64)
        self.steps = 0

    @torch.no_grad()
    def add(self, ids_BT: Tensor, logits_by_layer: list[Tensor]) -> None:
        """One step: the tokens that went in, and each layer's router logits."""
        layers, K, V, E = self.choices_LKVE.shape
        assert len(logits_by_layer) == layers
        ids_N1 = ids_BT.reshape(-1, 1)
        slots_1K = torch.arange(K, device=ids_BT.device)
        for layer, logits_NE in enumerate(logits_by_layer):
            cells_NK = (slots_1K * V + ids_N1) * E + expert_ids(logits_NE, K)
            counts = cells_NK.flatten().bincount(minlength=K * V * E)
            self.choices_LKVE[layer] += counts.view(K, V, E).cpu()
            self.probability_sum_LE[layer] += logits_NE.softmax(dim=-1).mean(dim=0).cpu()
            self.aux_loss_sum_L[layer] += auxiliary_loss(logits_NE).cpu()
        self.aux_loss_last_1[0] = auxiliary_loss(torch.cat(logits_by_layer)).cpu()
        self.aux_loss_pooled_sum_1 += self.aux_loss_last_1
        self.steps += 1

    def tensors(self) -> dict[str, Tensor]:
        return {
            "choices_LKVE": self.choices_LKVE.clone(),
            "probability_LE": self.probability_sum_LE / self.steps,
            "aux_loss_L": self.aux_loss_sum_L / self.steps,
            "aux_loss_pooled_1": self.aux_loss_pooled_sum_1 / self.steps,
            "aux_loss_last_1": self.aux_loss_last_1.clone(),
        }


def expert_ids(logits_NE: Tensor, top_k: int) -> Tensor:
    """The chosen experts (N, K), the likeliest first, as in MoE.route."""
    return logits_NE.topk(top_k, dim=-1).indices


def entropy_nats(counts: np.ndarray) -> np.ndarray:
    """Entropy of the shares along the last axis: from 0, one expert has all, to ln E, all have the same."""
    shares = counts / counts.sum(axis=-1, keepdims=True)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return -(shares * logs).sum(axis=-1)


def busiest_share(counts: np.ndarray) -> np.ndarray:
    """The largest share along the last axis: from 1/E to 1."""
    return counts.max(axis=-1) / counts.sum(axis=-1)


def quietest_share(counts: np.ndarray) -> np.ndarray:
    """The smallest share along the last axis: from 0 to 1/E."""
    return counts.min(axis=-1) / counts.sum(axis=-1)


def mutual_information_nats(counts_VE: np.ndarray) -> float:
    """How much the token tells of the expert: I = H(V) + H(E) - H(V, E), 0 if nothing, at most ln E.

    Each entropy gets the correction of Miller (1955) and Madow, (cells that occur - 1) / 2n, without which a finite
    sample of independent tokens and experts would look dependent. The result can therefore be just below 0.
    """

    def corrected(cells: np.ndarray) -> float:
        return float(entropy_nats(cells)) + (np.count_nonzero(cells) - 1) / (2 * cells.sum())

    return corrected(counts_VE.sum(axis=1)) + corrected(counts_VE.sum(axis=0)) - corrected(counts_VE.ravel())
