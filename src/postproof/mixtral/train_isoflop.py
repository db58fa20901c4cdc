"""Train one arm at one width with one seed through several FLOP budgets, for the gap between the arms at each."""

from __future__ import annotations

from postproof.core import devices, settings
from postproof.data import prepare_corpus
from postproof.mixtral import training
from postproof.mixtral.budgets import add_arguments_of_budgets, budgets_flops
from postproof.mixtral.draws import Draws, RaceAsRun
from postproof.mixtral.model import ARMS
from postproof.mixtral.settings import IsoflopSettings, ModelSizes, Optimiser


def add_arguments(parser) -> None:
    training.add_run_arguments(parser, ARMS)
    parser.add_argument("--width", type=int, required=True, help="d_model; the model's other sizes are scaled to it")
    add_arguments_of_budgets(parser)


def main(args) -> None:
    device = devices.require(args.device, args.mode)
    draws = {"own": Draws, "as_run": RaceAsRun}[args.draws]
    sizes = settings.parse(ModelSizes, args.model).scaled(args.width)
    optimiser = settings.parse(Optimiser, *args.training)
    sweep = IsoflopSettings(optimiser.batch, optimiser.learning_rate, budgets_flops(args))
    run = training.Run(args.arm, args.seed, sizes, sweep, prepare_corpus.load(args.corpus), device, args.made_of, draws)
    training.train_to_files(run, args)
