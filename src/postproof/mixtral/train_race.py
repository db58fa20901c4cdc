"""Train one arm of the dense-vs-MoE race with one seed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from postproof import devices, files, sections
from postproof.data import prepare_corpus
from postproof.mixtral.model import ARMS, ModelSizes
from postproof.mixtral.training import Run, TrainingSettings


def add_arguments(parser) -> None:
    parser.add_argument("--arm", choices=ARMS, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--model", required=True, help="params section with the model's sizes, as JSON")
    parser.add_argument("--training", required=True, help="params section with the training settings, as JSON")
    parser.add_argument("--device", choices=devices.CHOICES, default="cpu")
    parser.add_argument("--corpus", type=Path, required=True, help="prepared corpus, safetensors")
    parser.add_argument("--out-rows", type=Path, required=True, help="CSV, one row per checkpoint")
    parser.add_argument("--out-weights", type=Path, required=True, help="safetensors of the trained model")


def main(args) -> None:
    device = devices.require(args.device, args.mode)
    run = Run(
        args.arm,
        args.seed,
        sections.parse(ModelSizes, args.model),
        sections.parse(TrainingSettings, args.training),
        prepare_corpus.load(args.corpus),
        device,
    )
    # The state that a killed run resumes from: beside the results, and gone when they are complete.
    state_file = args.out_rows.with_suffix(".resume.safetensors")
    rows = run.to_budget(state_file, args.log)
    files.save_tensors(args.out_weights, run.model.state_dict(), {"arm": args.arm, "seed": args.seed, "step": run.step})
    files.write_csv(args.out_rows, pd.DataFrame(rows))
    state_file.unlink(missing_ok=True)
