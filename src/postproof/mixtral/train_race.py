"""Train one arm of the dense-vs-MoE race with one seed."""

from __future__ import annotations

from postproof.core import devices, settings
from postproof.data import prepare_corpus
from postproof.mixtral import training
from postproof.mixtral.draws import Draws, RaceAsRun
from postproof.mixtral.model import ARMS
from postproof.mixtral.settings import ModelSizes, RaceSettings


def add_arguments(parser) -> None:
    training.add_run_arguments(parser, ARMS)


def main(args) -> None:
    device = devices.require(args.device, args.mode)
    draws = {"own": Draws, "as_run": RaceAsRun}[args.draws]
    sizes, race = settings.parse(ModelSizes, args.model), settings.parse(RaceSettings, *args.training)
    run = training.Run(args.arm, args.seed, sizes, race, prepare_corpus.load(args.corpus), device, args.made_of, draws)
    training.train_to_files(run, args)
