"""YAML read in one way: a key that stands twice is an error, since YAML readers let the second win in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from postproof.core.errors import PostproofError

_NUMBERS = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp")}


class StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Raises yaml.constructor.ConstructorError with the key and its line."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value if key.value != "<<"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


class _TextLoader(StrictLoader):
    """Without numbers and dates, since 25.310 says more than 25.31."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NUMBERS]
        for first, resolvers in StrictLoader.yaml_implicit_resolvers.items()
    }


def load(
    path: Path | str, error: type[PostproofError], *, remedy: str = "", numbers_as_text: bool = False
) -> dict[Any, Any]:
    """The mapping that a YAML file holds; with `numbers_as_text` every number and date is the text typed.

    Raises `error`, the family of the caller, naming the file when it cannot be read, is not YAML, repeats a key or is
    no mapping.
    """
    loader = _TextLoader if numbers_as_text else StrictLoader
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise error("cannot read YAML", file=path, remedy=remedy) from cause
    if not isinstance(content, dict):
        value = repr(content)
        raise error("not a mapping", file=path, value=value if len(value) <= 80 else value[:77] + "...",
                    allowed="keys with values", remedy=remedy)  # fmt: skip
    return content
