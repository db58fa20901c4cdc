"""Train one arm at one width with one seed through several FLOP budgets, for the gap between the arms at each."""

from __future__ import annotations

import torch

from postproof.core import devices, settings
from postproof.data import prepare_corpus
from postproof.mixtral import training
from postproof.mixtral.budgets import add_arguments_of_budgets, budgets_flops
from postproof.mixtral.draws import Draws, RaceAsRun
from postproof.mixtral.model import ARMS
from postproof.mixtral.settings import IsoflopSettings, ModelSizes, OnGPU, Optimiser


def add_arguments(parser) -> None:
    training.add_run_arguments(parser, ARMS)
    parser.add_argument("--width", type=int, required=True, help="d_model; the model's other sizes are scaled to it")
    parser.add_argument("--on-gpu", help="params section: precision and compiler of a step there; float32, none")
    add_arguments_of_budgets(parser)


def main(args) -> None:
    device = devices.require(args.device, args.mode)
    draws = {"own": Draws, "as_run": RaceAsRun}[args.draws]
    sizes = settings.parse(ModelSizes, args.model).scaled(args.width)
    optimiser = settings.parse(Optimiser, *args.training)
    sweep = IsoflopSettings(optimiser.batch, optimiser.learning_rate, budgets_flops(args))
    on_gpu = settings.parse(OnGPU, args.on_gpu) if args.on_gpu and device.type == "cuda" else OnGPU("float32", False)
    run = training.Run(
        args.arm, args.seed, sizes, sweep, prepare_corpus.load(args.corpus), device, args.made_of, draws,
        precision=getattr(torch, on_gpu.precision), compiled=on_gpu.compiled,
    )  # fmt: skip
    training.train_to_files(run, args)
