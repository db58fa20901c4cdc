"""Turn a text into character tokens, split into a training and a validation part."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import torch

from postproof.core import files, texts
from postproof.core.errors import ArtefactError, DataError


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Token ids of one text. `train` and `val` are int64 of shape (characters,); ids index `vocabulary`."""

    train: torch.Tensor
    val: torch.Tensor
    vocabulary: list[str]


def add_arguments(parser) -> None:
    parser.add_argument("--text", type=Path, required=True, help="UTF-8 text")
    parser.add_argument("--section", required=True, help="of params.yaml that has the number of characters")
    parser.add_argument("--characters", type=int, required=True, help="how many to take from its start")
    parser.add_argument(
        "--train-fraction", type=float, required=True, help="share that goes to training, from the start"
    )
    parser.add_argument("--out-arrays", type=Path, required=True, help="safetensors with train and val")
    parser.add_argument("--out-info", type=Path, required=True, help="JSON: vocabulary, counts, hashes")


def main(args) -> None:
    text = read_text(args.text, args.section, args.characters)
    vocabulary = sorted(set(text))
    if len(vocabulary) > np.iinfo(np.int16).max:
        raise DataError(
            "corpus has too many different characters", file=args.text, found=len(vocabulary), allowed=32767
        )
    id_by_code_point = np.zeros(ord(vocabulary[-1]) + 1, dtype=np.int16)
    id_by_code_point[[ord(character) for character in vocabulary]] = np.arange(len(vocabulary))
    ids = torch.from_numpy(id_by_code_point[np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)])
    split = round(len(text) * args.train_fraction)
    arrays = {"train": ids[:split], "val": ids[split:]}
    info = {
        "source": args.text.name,
        "source_sha256": hashlib.sha256(texts.read(args.text).encode()).hexdigest(),
        "characters": len(text),
        "vocabulary_size": len(vocabulary),
        "vocabulary": vocabulary,
        "counts": {name: len(array) for name, array in arrays.items()},
        "sha256": {name: hashlib.sha256(array.numpy().tobytes()).hexdigest() for name, array in arrays.items()},
    }
    files.save_tensors(args.out_arrays, arrays, info)
    files.write_json(args.out_info, info)


def read_text(path: Path, section: str, characters: int | None = None) -> str:
    """The first `characters` characters of a UTF-8 file, or all, as texts.read gives them; errors name `section`.

    Raises DataError when the file is missing, not UTF-8 or shorter.
    """
    try:
        text = texts.read(path)[:characters]
    except OSError as error:
        raise DataError("cannot read the text", file=path, remedy=f"check {section} in params.yaml") from error
    except UnicodeDecodeError as error:
        raise DataError("text is not UTF-8", file=path, byte=error.start, remedy="convert it to UTF-8") from error
    if characters is not None and len(text) < characters:
        raise DataError(
            "text is too short",
            file=path,
            characters_found=len(text),
            characters_needed=characters,
            remedy=f"lower {section}.characters in params.yaml, or take a longer text",
        )
    return text


def load(path: Path) -> Corpus:
    """The prepared corpus.

    Raises ArtefactError when the file is damaged, DataError when an array is not the one that was written.
    """
    arrays, info = files.load_tensors(path)
    try:
        vocabulary, recorded = info["vocabulary"], info["sha256"]
        found = {name: hashlib.sha256(arrays[name].numpy().tobytes()).hexdigest() for name in ("train", "val")}
    except (KeyError, TypeError) as error:
        raise ArtefactError("not a prepared corpus", file=path) from error
    for name, digest in found.items():
        if recorded.get(name) != digest:
            raise DataError(
                "array has another sha256 than recorded", file=path, array=name, remedy="delete and rebuild it"
            )
    return Corpus(arrays["train"].long(), arrays["val"].long(), vocabulary)
