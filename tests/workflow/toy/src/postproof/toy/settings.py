"""The section `toy` of params.yaml."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from postproof.core.settings import Count, Position, Relation, Seeds, Settings, Text, keys


class Words(Settings):
    source: Text
    words: Count

    def relations(self) -> Iterator[Relation]:
        yield Relation(
            Path(self.source).is_file(), "source", self.source, "the path of a text", "no such file", "check it"
        )


class Walk(Settings):
    seeds: Seeds
    steps: Count


class Params(Settings):
    EXAMPLES: ClassVar = {"named_walks": {"long": 3}}

    text: Words
    walk: Walk
    named_walks: Annotated[dict[str, Position], keys("^[a-z]+$")]
