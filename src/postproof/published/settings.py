"""Sections of params.yaml that name published models or devices: files of data/configurations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from postproof.core.settings import Relation, Settings, Text, items

FOLDER = Path("data/configurations")

Models = Annotated[tuple[Text, ...], items()]


class PublicModels(Settings):
    """The rows of a table public_models, in order."""

    models: Models

    def relations(self) -> Iterator[Relation]:
        yield from each_has_a_file("models", self.models)


def each_has_a_file(key: str, names: Sequence[str]) -> Iterator[Relation]:
    """That each name is one of a file in the folder."""
    for name in names:
        allowed = f"the name of a file in {FOLDER}, without .yaml"
        remedy = f"add {FOLDER}/{name}.yaml, or take another"
        yield Relation((FOLDER / f"{name}.yaml").is_file(), key, name, allowed, "no such file", remedy)
