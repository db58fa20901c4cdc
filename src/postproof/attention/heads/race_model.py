"""Attention weights of the character models of the race, after and before training. Shapes as in hooks.py."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from torch import Tensor

from postproof.attention.heads.hooks import weights_handed_on
from postproof.attention.heads.sources import AttentionModel, Visit
from postproof.core import files, runs
from postproof.core.errors import ArtefactError, DataError
from postproof.mixtral.draws import initial_decoder
from postproof.mixtral.model import ARMS
from postproof.mixtral.settings import ModelSizes

PAD_CHARACTER = "\n"  # the character models have no token of their own for padding


def from_race(weights: Path, corpus_info: Path, sizes: ModelSizes, trained: bool, name: str) -> AttentionModel:
    """A model of the race at the end of its run, or with the initial weights of that run. Tokens are characters.

    Raises ArtefactError when the files are not of a run and its corpus, or the weights do not fit the sizes; DataError
    when the corpus has no line break to pad with, or a sentence has a character that the corpus has not.
    """
    state, about = files.load_tensors(weights)
    info = files.read_json(corpus_info)
    if not isinstance(about, dict) or about.get("arm") not in ARMS or type(about.get("seed")) is not int:
        raise ArtefactError("file does not say the arm and seed of its run", file=weights)
    runs.must_be_named(weights, [(about["arm"], about["seed"])])
    if not isinstance(info, dict) or not isinstance(info.get("vocabulary"), list):
        raise ArtefactError("file holds no vocabulary", file=corpus_info)
    characters = info["vocabulary"]
    if PAD_CHARACTER not in characters:
        raise DataError("corpus has no line break to pad sentences with", file=corpus_info, model=name,
                        remedy="take a corpus of several lines")  # fmt: skip
    model = initial_decoder(about["arm"], sizes, len(characters), about["seed"])
    if trained:
        try:
            model.load_state_dict(state)
        except RuntimeError as error:
            raise ArtefactError("weights do not fit the sizes of the model", file=weights,
                                sizes=dataclasses.asdict(sizes)) from error  # fmt: skip
    model.requires_grad_(False).eval()
    index_of = {character: index for index, character in enumerate(characters)}

    def encode(text: str) -> list[int]:
        unknown = sorted(set(text) - index_of.keys())
        if unknown:
            raise DataError("sentence has a character that the model does not know", model=name, text=text,
                            characters=" ".join(unknown), allowed="".join(characters).strip(),
                            remedy="write it with those, or train on a corpus that has them")  # fmt: skip
        return [index_of[character] for character in text]

    def attend(ids_BT: Tensor, real_BT: Tensor | None, visit: Visit) -> None:
        with weights_handed_on(model, real_BT, visit):
            model(ids_BT)

    return AttentionModel(
        name=name, layers=sizes.layers, heads=sizes.heads, context=sizes.sequence,
        vocabulary=len(characters), pad_id=index_of[PAD_CHARACTER], cuts=True,
        encode=encode, label=characters.__getitem__, attend=attend,
    )  # fmt: skip
