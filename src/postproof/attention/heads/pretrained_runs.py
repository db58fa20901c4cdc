"""Read the heads of a pretrained model over the sentences: a Llama in a GGUF file, or what transformers can read."""

from __future__ import annotations

from pathlib import Path

from postproof.attention.heads import hub_model, llama_model, reader
from postproof.attention.heads.sources import AttentionModel

KINDS = ("gguf", "hub")


def add_arguments(parser) -> None:
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--weights", required=True, help="GGUF; or folder, or name in the cache of a model hub")
    parser.add_argument("--sha256", help="of the GGUF: 64 hex digits")
    reader.add_arguments(parser)


def main(args) -> None:
    reader.run(args, lambda: open_model(args))


def open_model(args) -> AttentionModel:
    if args.kind == "gguf":
        return llama_model.from_gguf(Path(args.weights), args.sha256, args.name)
    return hub_model.load(args.weights, args.name)
