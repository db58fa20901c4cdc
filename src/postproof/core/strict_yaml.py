"""YAML read in one way: what its readers do not agree on is an error that says where and what to write.

A key that stands twice: readers let the second win in silence. A plain word that YAML 1.1 (PyYAML, with which Snakemake
reads) takes for something else than YAML 1.2 (ruamel.yaml, with which DVC reads): `010` is 8 or 10, `12:30` is 750 or
text, `yes` is true or text. A number with an exponent is a number, as in YAML 1.2, with or without a point: DVC writes
`5e-05` where it changes a param. (https://yaml.org/spec/1.1/#id858600, https://yaml.org/spec/1.2.2/#1032-tag-resolution)
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from postproof.core import texts
from postproof.core.errors import PostproofError

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


_WORDS = (_AMBIGUOUS, _TRUTH_OR_TEXT, "yYnNoO")


class StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Raises yaml.constructor.ConstructorError with the key, or the word, and its line."""

    yaml_implicit_resolvers = _resolvers(
        (_FLOAT, _NUMBER, f"{_DIGITS}{_SIGNS}"), (_AMBIGUOUS, _NUMBER_OR_NOT, f"{_DIGITS}{_SIGNS}."), _WORDS
    )
    yaml_constructors = yaml.SafeLoader.yaml_constructors | {_AMBIGUOUS: _refused}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value if key.value != "<<"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


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
    except (OSError, ValueError, yaml.YAMLError) as cause:
        raise error("cannot read YAML", file=path, remedy=remedy) from cause
    if not isinstance(content, dict):
        value = repr(content)
        raise error("not a mapping", file=path, value=value if len(value) <= 80 else value[:77] + "...",
                    allowed="keys with values", remedy=remedy)  # fmt: skip
    return content
