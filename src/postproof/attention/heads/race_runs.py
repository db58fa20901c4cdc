"""Read the heads of a model of the race over the sentences, after its training or before."""

from __future__ import annotations

from pathlib import Path

from postproof.attention.heads import race_model, reader
from postproof.core import settings
from postproof.mixtral.settings import ModelSizes


def add_arguments(parser) -> None:
    parser.add_argument("--weights", type=Path, required=True, help="safetensors of a run")
    parser.add_argument("--untrained", action="store_true", help="the weights that the run began with")
    parser.add_argument("--model", required=True, help="params section with the model's sizes, as JSON")
    parser.add_argument("--corpus-info", type=Path, required=True, help="JSON with the vocabulary")
    reader.add_arguments(parser)


def main(args) -> None:
    sizes = settings.parse(ModelSizes, args.model)
    trained = not args.untrained
    reader.run(args, lambda: race_model.from_race(args.weights, args.corpus_info, sizes, trained, args.name))
