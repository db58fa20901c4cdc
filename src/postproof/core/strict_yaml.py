"""YAML read in one way: what its readers do not agree on is an error that says where and what to write.

A key that stands twice: readers let the second win in silence. A plain word that YAML 1.1 (PyYAML, with which Snakemake
reads) takes for something else than YAML 1.2 (ruamel.yaml, with which DVC reads): `010` is 8 or 10, `12:30` is 750 or
text, `yes` is true or text. A number with an exponent is a number, as in YAML 1.2, with or without a point: DVC writes
`5e-05` where it changes a param. (https://yaml.org/spec/1.1/#id858600, https://yaml.org/spec/1.2.2/#1032-tag-resolution)

What is no plain data is an error too: a small text whose aliases stand for gigabytes, or for themselves.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from postproof.core import texts
from postproof.core.errors import PostproofError

MOST_NODES = 1_000_000  # values of a document, each counted as often as aliases repeat it; dvc.lock has some 10,000
DEEPEST = 100  # levels
MOST_DIGITS = 1000  # of an integer; Python itself prints none of more than 4300

_FLOAT, _AMBIGUOUS = "tag:yaml.org,2002:float", "!ambiguous"
_NUMBERS = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp")}
_DIGITS, _SIGNS = "0123456789", "-+"
# Text to YAML 1.1, numbers to YAML 1.2.
_NUMBER = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+|[-+]\.[0-9_]*[0-9][0-9_]*")
# A number of 1.1 in base 8 and of 1.2 in base 10; of 1.2 in base 8; of 1.1 in base 60; of 1.2 with _ for a first digit.
_NUMBER_OR_NOT = re.compile(
    r"[-+]?(?:0[0-9_]+|0o[0-7_]*|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|\._[0-9_.eE+-]*)|[-+](?:_[0-9_]*|\._*)"
)
_TRUTH_OR_TEXT = re.compile("yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF")


def _resolvers(*first: tuple[str, re.Pattern, str], without: frozenset[str] = frozenset()) -> dict[str, list]:
    """PyYAML's table of what plain words are, by their first character; rows of `first` count before its own."""
    table = {character: list(rows) for character, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()}
    for tag, pattern, characters in reversed(first):
        for character in characters:
            table.setdefault(character, []).insert(0, (tag, re.compile(f"(?:{pattern.pattern})$")))
    return {character: [row for row in rows if row[0] not in without] for character, rows in table.items()}


def _refused(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> None:
    if _TRUTH_OR_TEXT.fullmatch(node.value):
        instead = f"write {str(node.value.lower() in ('yes', 'on')).lower()}, or '{node.value}' for the word"
    else:
        instead = f"write it as a plain decimal number, or '{node.value}' for a text"
    problem = f"{node.value} is one thing in YAML 1.1 and another in YAML 1.2; {instead}"
    raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


_BEFORE_A_BLOCK = re.compile(r"^[ \-?:]*", re.MULTILINE)
_WORDS = (_AMBIGUOUS, _TRUTH_OR_TEXT, "yYnNoO")


_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class StrictLoader(_PARSER):
    """Raises yaml.constructor.ConstructorError with the key, or the word, and its line."""

    yaml_implicit_resolvers = _resolvers(
        (_FLOAT, _NUMBER, f"{_DIGITS}{_SIGNS}"), (_AMBIGUOUS, _NUMBER_OR_NOT, f"{_DIGITS}{_SIGNS}."), _WORDS
    )
    yaml_constructors = yaml.SafeLoader.yaml_constructors | {_AMBIGUOUS: _refused}

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
    # A block starts further right than the one around it, but for a list within a mapping.
    columns = max(map(len, _BEFORE_A_BLOCK.findall(text)), default=0)
    if text.count("[") + text.count("{") + 2 * columns + 2 < DEEPEST:
        return
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

    yaml_implicit_resolvers = _resolvers(_WORDS, without=frozenset(_NUMBERS))


def load(
    path: Path | str, error: type[PostproofError], *, remedy: str = "", numbers_as_text: bool = False
) -> dict[Any, Any]:
    """The mapping that a YAML file holds; with `numbers_as_text` every number and date is the text typed.

    Raises `error`, the family of the caller, naming the file when it cannot be read, is not YAML, repeats a key, has a
    word that YAML's versions read differently, or is no mapping.
    """
    loader = _TextLoader if numbers_as_text else StrictLoader
    try:
        content = yaml.load(texts.read(path), Loader=loader)
    # Besides its own errors, PyYAML lets through what Python says of an impossible date, a number with no end of digits
    # or a text that is nested too deeply.
    except (OSError, ValueError, TypeError, OverflowError, RecursionError, yaml.YAMLError) as cause:
        raise error("cannot read YAML", file=path, remedy=remedy) from cause
    if not isinstance(content, dict):
        value = repr(content)
        raise error("not a mapping", file=path, value=value if len(value) <= 80 else value[:77] + "...",
                    allowed="keys with values", remedy=remedy)  # fmt: skip
    return content
