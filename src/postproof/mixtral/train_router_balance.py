"""Train one MoE with or without the auxiliary loss, with one seed, and keep what its routers did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from postproof.core import devices, files, settings
from postproof.data import prepare_corpus
from postproof.mixtral import training
from postproof.mixtral.draws import BalanceAsRun, Draws, tiling_windows
from postproof.mixtral.routing import RoutingCounts, auxiliary_loss, expert_ids, router_logits
from postproof.mixtral.settings import ModelSizes, RouterBalanceSettings
from postproof.mixtral.training import Run

# The auxiliary loss of an arm, from the router logits (N, E) of each layer. As posted, it is one loss over the rows of
# all layers together; by layer, as Fedus et al. describe it, each layer has a loss of its own and they are summed.
AUXILIARY: dict[str, Callable[[Sequence[Tensor]], Tensor] | None] = {
    "no_aux": None,
    "with_aux": lambda logits_by_layer: auxiliary_loss(torch.cat(list(logits_by_layer))),
    "with_aux_by_layer": lambda logits_by_layer: sum(auxiliary_loss(logits_NE) for logits_NE in logits_by_layer),
}
ARMS = tuple(AUXILIARY)


class RouterBalanceRun(Run):
    """A run of the MoE; in the arms other than no_aux their auxiliary loss is added."""

    ffn = "moe"

    def __post_init__(self):
        super().__post_init__()
        self.untrained = self._untrained_routing()
        self.counts = self._no_counts()

    def _losses(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        with router_logits(self.model) as logits_by_layer:
            cross_entropy = self.model.loss(inputs, targets)
        self.counts.add(inputs, logits_by_layer)
        auxiliary = AUXILIARY[self.arm]
        if auxiliary is None:
            return cross_entropy, cross_entropy
        return cross_entropy + self.settings.aux_weight * auxiliary(logits_by_layer), cross_entropy

    def _record(self) -> dict[str, Tensor]:
        record, self.counts = self.counts.tensors(), self._no_counts()
        return record

    def _no_counts(self) -> RoutingCounts:
        sizes = self.sizes
        return RoutingCounts(sizes.layers, sizes.top_k, len(self.corpus.vocabulary), sizes.experts)

    @torch.no_grad()
    def _untrained_routing(self) -> dict[str, Tensor]:
        """What the routers do before training, on the batches of the first window."""
        counts, draws = self._no_counts(), self.draws_from(self.seed)
        for step in range(1, self.checkpoints[0] + 1):
            inputs, _ = draws.train_windows(step, self.corpus.train, self.sizes.sequence, self.settings.batch)
            inputs = inputs.to(self.device)
            with router_logits(self.model) as logits_by_layer:
                self.model(inputs)
            counts.add(inputs, logits_by_layer)
        return counts.tensors()

    @torch.no_grad()
    def served(self) -> Tensor:
        """Chosen experts for the validation text in order, uint8 (windows, time, layers, slots)."""
        windows = []
        for inputs, _ in tiling_windows(self.corpus.val, self.sizes.sequence, self.settings.batch):
            with router_logits(self.model) as logits_by_layer:
                self.model(inputs.to(self.device))
            ids_LNK = torch.stack([expert_ids(logits_NE, self.sizes.top_k) for logits_NE in logits_by_layer])
            windows.append(ids_LNK.movedim(0, 1).reshape(*inputs.shape, *ids_LNK.shape[::2]))
        return torch.cat(windows).to(torch.uint8).cpu()


def add_arguments(parser) -> None:
    training.add_run_arguments(parser, ARMS)
    parser.add_argument("--out-routing", type=Path, required=True, help="safetensors of what the routers did")


def main(args) -> None:
    device = devices.require(args.device, args.mode)
    draws = {"own": Draws, "as_run": BalanceAsRun}[args.draws]
    sizes, balance = settings.parse(ModelSizes, args.model), settings.parse(RouterBalanceSettings, *args.training)
    corpus = prepare_corpus.load(args.corpus)
    run = RouterBalanceRun(args.arm, args.seed, sizes, balance, corpus, device, args.made_of, draws)
    training.train_to_files(run, args, write_more=lambda: write_routing(args.out_routing, run))


def write_routing(path: Path, run: RouterBalanceRun) -> None:
    """The tensors of RoutingCounts with a first axis C, the untrained model and then each window up to a checkpoint,
    and `served_STLK`. Metadata: arm, seed, steps (of C), experts, d_model.
    """
    records = [run.untrained, *run.records]
    tensors = {"served_STLK": run.served()}
    for name in records[0]:
        stem, axes = name.rsplit("_", 1)
        tensors[f"{stem}_C{axes}"] = torch.stack([record[name] for record in records])
    about = {"arm": run.arm, "seed": run.seed, "steps": [0, *run.checkpoints]}
    files.save_tensors(path, tensors, about | {"experts": run.sizes.experts, "d_model": run.sizes.d_model})
