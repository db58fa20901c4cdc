"""The one training loop that every arm of every experiment goes through: checkpoints on the way, and resumption.

Its random numbers come from a source of draws.py.

At each checkpoint the validation loss is taken over the consecutive windows that tile the whole validation split, the
same every time (`fixed_windows`); with the posted draws also over batches drawn anew (`as_posted`), which costs more
and says less. It is in float32 always, so that runs compare.

On a GPU the host does not wait for a step: losses stay there, and are looked at every LOOKED_AT_EVERY steps. What is
computed there is the same twice on one card and build of torch: deterministic kernels are asked for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd
import torch
from torch import Tensor

from postproof.core import devices, files
from postproof.core.errors import TrainingError
from postproof.core.progress import Progress
from postproof.data.prepare_corpus import Corpus
from postproof.mixtral.draws import Draws, tiling_windows
from postproof.mixtral.flops import step_flops
from postproof.mixtral.model import Decoder
from postproof.mixtral.settings import ModelSizes

LOOKED_AT_EVERY = 64  # steps on a GPU; at a checkpoint too, so nothing of a run that went wrong is kept
COMPILER = "inductor"


class TrainingSettings(Protocol):
    """How a run is trained: a class of settings.py, of the experiment's own."""

    batch: int  # sequences
    learning_rate: float
    val_batches: int  # of the protocol as_posted, with the posted draws; 0 leaves it out

    def checkpoints(self, flops_per_step: int) -> list[int]:
        """Steps after which the run is evaluated, ascending; the last one ends it."""


def step(loss_of: Callable[[], Tensor], optimiser: torch.optim.Optimizer) -> Tensor:
    """One training step: gradients of the loss that `loss_of` computes, and the update. Returns that loss, a scalar."""
    optimiser.zero_grad()
    loss = loss_of()
    loss.backward()
    optimiser.step()
    return loss


@dataclasses.dataclass
class Run:
    """One arm with one seed, from the first step to the last checkpoint.

    `made_of` names all that decides the run's bytes: a saved state of another one is not resumed, and without one
    there is no saved state. An experiment that trains or records something of its own overrides the methods of the
    first group below.

    `precision`: of products and activations in a training step; weights, their updates and losses stay float32.
    `compiled`: the model's loss, by torch.compile. `fused`: the model's fused kernels, by default on a GPU.
    """

    arm: str
    seed: int
    sizes: ModelSizes
    settings: TrainingSettings
    corpus: Corpus
    device: torch.device
    made_of: str | None = None
    draws_from: type[Draws] = Draws
    precision: torch.dtype = torch.float32
    compiled: bool = False
    fused: bool | None = None

    def __post_init__(self):
        on_cpu = self.device.type == "cpu"
        # cuBLAS is deterministic with this, which it reads when it is first used; what has no deterministic kernel on a
        # GPU warns.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=not on_cpu)
        # It would fill every new tensor with NaN, to show a read of what was never written: a tenth of a step.
        torch.utils.deterministic.fill_uninitialized_memory = False
        self.draws = self.draws_from(self.seed)
        self.model = self._initial_model().to(self.device)
        if not on_cpu if self.fused is None else self.fused:
            self.model.with_fused_kernels()
        self.loss_of = torch.compile(self.model.loss, backend=COMPILER) if self.compiled else self.model.loss
        # The fused optimiser needs no elementwise square root, which ATen leaves to the processor.
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=self.settings.learning_rate, fused=True)
        self.flops_per_step = step_flops(self.ffn, self.sizes, self.settings.batch)
        self.checkpoints = self.settings.checkpoints(self.flops_per_step)
        self.total_steps = self.checkpoints[-1]
        self.step = 0
        self.looked_at_every = 1 if on_cpu else LOOKED_AT_EVERY
        self.not_looked_at: dict[int, Tensor] = {}  # losses of the last steps
        self.rows: list[dict] = []
        self.records: list[dict[str, Tensor]] = []

    # What an experiment may change.

    @property
    def ffn(self) -> str:
        """Which feed-forward block the arm has: dense or moe."""
        return self.arm

    def _initial_model(self) -> Decoder:
        return self.draws.decoder(self.arm, self.ffn, self.sizes, len(self.corpus.vocabulary))

    def _losses(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The loss to be minimised, and the cross-entropy to be reported."""
        loss = self.loss_of(inputs, targets)
        return loss, loss

    def _record(self) -> dict[str, Tensor]:
        """What is kept of the steps since the checkpoint before, besides the row; called once per checkpoint."""
        return {}

    # The loop.

    def to_end(self, state_file: Path, log: Path | None) -> list[dict]:
        """Trains to the last checkpoint, from `state_file` on if it holds an earlier part of this very run.

        Returns one row per checkpoint. Raises TrainingError when a loss is not finite, ArtefactError when the state
        file is damaged.
        """
        if self.made_of is not None and state_file.exists():
            self._resume(state_file)
        with Progress(f"{self.arm}-seed{self.seed}", self.total_steps, log, done=self.step) as progress:
            progress.line(f"{self.total_steps - self.step} of {self.total_steps} steps to go")
            try:
                while self.step < self.total_steps:
                    train_loss = self.train_step()
                    if self.step in self.checkpoints:
                        self._check_steps()
                        self.records.append(self._record())
                        self.rows.append(self._row(train_loss.item()))
                        if self.made_of is not None:
                            self._save(state_file)
                        progress.line(", ".join(f"{key} {value:.6g}" for key, value in list(self.rows[-1].items())[2:]))
                    progress.advance()
            except TrainingError:
                files.remove(state_file)  # it would lead to the same end each time
                raise
        return self.rows

    def train_step(self) -> Tensor:
        """One batch forward, backward and through the optimiser; returns its cross-entropy before the update, a scalar.

        Raises TrainingError when a loss is not finite; on a GPU only after some steps, which are then lost.
        """
        sequence, batch = self.sizes.sequence, self.settings.batch
        inputs, targets = map(self._there, self.draws.train_windows(self.step + 1, self.corpus.train, sequence, batch))
        reported = torch.tensor(math.nan)

        def loss_of() -> Tensor:
            nonlocal reported
            with self._precision():
                loss, cross_entropy = self._losses(inputs, targets)
            reported = cross_entropy.detach()
            self.not_looked_at[self.step + 1] = loss.detach().clone()
            if len(self.not_looked_at) >= self.looked_at_every:
                self._check_steps()
            return loss

        step(loss_of, self.optimiser)
        self.step += 1
        return reported

    def _there(self, batch_BT: Tensor) -> Tensor:
        """On the device. From pinned memory the host does not wait for it."""
        if self.device.type == "cuda":
            return batch_BT.pin_memory().to(self.device, non_blocking=True)
        return batch_BT.to(self.device)

    def _precision(self) -> contextlib.AbstractContextManager:
        if self.precision == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.precision)

    def _check_steps(self) -> None:
        """Of the steps since the last look."""
        if self.not_looked_at:
            for step, loss in zip(self.not_looked_at, torch.stack([*self.not_looked_at.values()]).tolist()):
                self._check_finite(loss, "training", step)
            self.not_looked_at.clear()

    def _row(self, train_loss: float) -> dict:
        sequence, batch = self.sizes.sequence, self.settings.batch
        row = {
            "arm": self.arm,
            "seed": self.seed,
            "step": self.step,
            "cumulative_flops": self.step * self.flops_per_step,
            "tokens_seen": self.step * batch * sequence,
            "train_loss": train_loss,
        }
        if self.draws.validated_as_posted and self.settings.val_batches:
            row["val_loss_as_posted"] = self.mean_loss_of_drawn_windows()
        row["val_loss_fixed_windows"] = self._mean_loss(tiling_windows(self.corpus.val, sequence, batch))
        return row

    def mean_loss_of_drawn_windows(self) -> float:
        """Validation as posted, over batches drawn anew."""
        sequence, batch, batches = self.sizes.sequence, self.settings.batch, self.settings.val_batches
        return self._mean_loss(self.draws.val_windows(self.step, self.corpus.val, sequence, batch, batches))

    @torch.no_grad()
    def _mean_loss(self, batches: Iterator[tuple[Tensor, Tensor]]) -> float:
        """Mean loss per token over all batches, summed in double precision."""
        total, tokens = 0.0, 0
        for inputs, targets in batches:
            total += self.model.loss(self._there(inputs), self._there(targets)).item() * targets.numel()
            tokens += targets.numel()
        self._check_finite(total, "validation", self.step)
        return total / tokens

    def _check_finite(self, loss: float, which: str, step: int) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"{which} loss is {loss}",
                arm=self.arm,
                seed=self.seed,
                step=step,
                learning_rate=self.settings.learning_rate,
                remedy="lower the learning rate in params.yaml; nothing of this run is left",
            )

    def _save(self, state_file: Path) -> None:
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for index, slots in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{slot}": value for slot, value in slots.items()}
        tensors["rng.train_batches"] = self.draws.train_batches.get_state()
        tensors["rng.val_batches"] = self.draws.val_batches.get_state()
        for index, record in enumerate(self.records):
            tensors |= {f"record.{index}.{name}": value for name, value in record.items()}
        files.save_tensors(state_file, tensors, {"made_of": self.made_of, "step": self.step, "rows": self.rows})

    def _resume(self, state_file: Path) -> None:
        tensors, metadata = files.load_tensors(state_file)
        if not isinstance(metadata, dict) or metadata.get("made_of") != self.made_of:
            return
        self.model.load_state_dict(_below("model.", tensors))
        state = _by_index(_below("optimiser.", tensors))
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": state})
        self.draws.train_batches.set_state(tensors["rng.train_batches"])
        self.draws.val_batches.set_state(tensors["rng.val_batches"])
        self.step, self.rows = metadata["step"], metadata["rows"]
        records = _by_index(_below("record.", tensors))
        self.records = [records.get(index, {}) for index in range(len(self.rows))]


def add_run_arguments(parser, arms: Sequence[str]) -> None:
    """The arguments of every command that trains one run."""
    parser.add_argument("--arm", choices=arms, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--model", required=True, help="params section with the model's sizes, as JSON")
    parser.add_argument("--training", nargs="+", required=True, help="params sections of the training, as JSON")
    parser.add_argument("--draws", choices=("own", "as_run"), required=True, help="random numbers: ours, or the posted")
    parser.add_argument("--device", choices=devices.CHOICES, default="cpu")
    parser.add_argument("--corpus", type=Path, required=True, help="prepared corpus, safetensors")
    parser.add_argument("--out-rows", type=Path, required=True, help="CSV, one row per checkpoint")
    parser.add_argument("--out-weights", type=Path, required=True, help="safetensors of the trained model")


def train_to_files(run: Run, args, write_more: Callable[[], None] = lambda: None) -> None:
    """Trains to the end and writes rows and weights where `args` say; `write_more` writes what else the run gives.

    The state that a killed run resumes from stands beside the rows, and goes when all files are complete.
    """
    state_file = args.out_rows.with_suffix(".resume.safetensors")
    rows = run.to_end(state_file, args.log)
    write_more()
    files.save_tensors(args.out_weights, run.model.state_dict(), {"arm": run.arm, "seed": run.seed, "step": run.step})
    files.write_csv(args.out_rows, pd.DataFrame(rows))
    files.remove(state_file)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _by_index(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Names `3.exp_avg` as [3]["exp_avg"]."""
    grouped: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, rest = name.split(".")
        grouped.setdefault(int(index), {})[rest] = value
    return grouped
