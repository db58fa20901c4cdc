"""YAML read in one way: a key that stands twice is an error, since YAML readers let the second win in silence.

What is no plain data is an error too: a small text whose aliases stand for gigabytes, or for themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from postproof.core.errors import PostproofError

MOST_NODES = 1_000_000  # values of a document, each counted as often as aliases repeat it; dvc.lock has some 10,000
DEEPEST = 100  # levels
MOST_DIGITS = 1000  # of an integer; Python itself prints none of more than 4300

_NUMBERS = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp")}


_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class StrictLoader(_PARSER):
    """Raises yaml.constructor.ConstructorError with the key and its line."""

    def __init__(self, text: str):
        _check_depth(text)
        super().__init__(text)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is no text or number", key.start_mark)
        keys = [key.value for key, _ in node.value if key.value != "<<"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > MOST_DIGITS:
            raise yaml.constructor.ConstructorError(
                None, None, f"an integer of more than {MOST_DIGITS} digits", node.start_mark
            )
        return super().construct_yaml_int(node)

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _size(node, {})
        return node


def _check_depth(text: str) -> None:
    """Raises ConstructorError for a text nested too deeply: libyaml would end the process, by a fault of memory."""
    level = 0
    for event in yaml.parse(text, Loader=_PARSER):
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > DEEPEST:
            raise yaml.constructor.ConstructorError(None, None, f"more than {DEEPEST} levels", event.start_mark)


def _size(node: yaml.Node, known: dict[yaml.Node, int | None]) -> int:
    """How many values the node has, aliases written out. Raises ConstructorError for too many, or no end of them."""
    if node in known or isinstance(node, yaml.ScalarNode):
        size = known.get(node, 1)
    else:
        known[node] = None  # being counted
        below = node.value if isinstance(node, yaml.SequenceNode) else [each for pair in node.value for each in pair]
        size = known[node] = 1 + sum(_size(each, known) for each in below)
    if size is None or size > MOST_NODES:
        raise yaml.constructor.ConstructorError(
            None, None, f"more than {MOST_NODES} values, aliases written out", node.start_mark
        )
    return size


StrictLoader.add_constructor("tag:yaml.org,2002:int", StrictLoader.construct_yaml_int)


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
    # Besides its own errors, PyYAML lets through what Python says of an impossible date, a number with no end of digits
    # or a text that is nested too deeply.
    except (OSError, ValueError, TypeError, OverflowError, RecursionError, yaml.YAMLError) as cause:
        raise error("cannot read YAML", file=path, remedy=remedy) from cause
    if not isinstance(content, dict):
        value = repr(content)
        raise error("not a mapping", file=path, value=value if len(value) <= 80 else value[:77] + "...",
                    allowed="keys with values", remedy=remedy)  # fmt: skip
    return content
