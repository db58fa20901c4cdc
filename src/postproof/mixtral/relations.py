"""How the values of the section `mixtral` in params.yaml must fit together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from postproof.errors import ParamsError

FETCHED_CORPORA = ("shakespeare", "tinystories", "wikitext2")


def check(mixtral: Mapping, file: str) -> None:
    """Checks what the schema cannot say of the section `mixtral`.

    Raises ParamsError for a corpus that is not there, or for two values that do not fit together.
    """
    corpus, model, training = mixtral["corpus"], mixtral["race"]["model"], mixtral["race"]["training"]

    source = Path(corpus["source"])
    fetched = [f"data/raw/{name}.txt" for name in FETCHED_CORPORA]
    if corpus["source"] not in fetched and not source.is_file():
        raise ParamsError(
            "no such file", file=file, key="mixtral.corpus.source", value=source,
            allowed=f"{', '.join(fetched)}, or the path of a UTF-8 text file",
        )  # fmt: skip

    train_characters = round(corpus["characters"] * corpus["train_fraction"])
    val_characters = corpus["characters"] - train_characters
    relations = [
        (
            model["d_model"] % model["heads"] == 0,
            "model.d_model",
            model["d_model"],
            f"a multiple of heads ({model['heads']})",
        ),
        (
            model["top_k"] <= model["experts"],
            "model.top_k",
            model["top_k"],
            f"at most experts ({model['experts']})",
        ),
        (
            model["sequence"] < min(val_characters, train_characters),
            "model.sequence",
            model["sequence"],
            f"less than either split of the corpus ({train_characters} and {val_characters} characters)",
        ),
        (
            training["checkpoint_flops"] <= training["budget_flops"],
            "training.checkpoint_flops",
            training["checkpoint_flops"],
            f"at most budget_flops ({training['budget_flops']:g})",
        ),
    ]
    for holds, key, value, allowed in relations:
        if not holds:
            raise ParamsError(
                "values do not fit together", file=file, key=f"mixtral.race.{key}", value=value, allowed=allowed,
                remedy="change one of the two",
            )  # fmt: skip
