"""Published models and devices, read from data/configurations: facts with their source, closed keys, checked values.

The parameter count is by formulas, term by term, so that a model nobody published (the same with other KV heads) can
be counted too. Letters: V vocabulary, D hidden size, L layers, H heads, G key-value heads, d head dimension, F hidden
width of the feed-forward block.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import NoReturn

import yaml

from postproof.errors import DataError
from postproof.strict_yaml import StrictLoader

REMEDY = "mend the file, or `git checkout` it"


@dataclasses.dataclass(frozen=True)
class Configuration:
    """A published dense decoder."""

    name: str
    label: str
    source: str
    released: int  # year
    vocabulary: int
    hidden_size: int
    layers: int
    heads: int
    kv_heads: int  # G divides H
    head_dim: int
    ffn_size: int
    ffn_matrices: int  # 2 (up, down) or 3 (gate, up, down: SwiGLU and its like)
    learned_positions: int  # position vectors; 0 for none
    norm: str  # rmsnorm has a gain, layernorm a gain and an offset
    norms_per_layer: int
    biases: str  # none, qkv, all
    tied_embeddings: bool
    rope_base: int | None  # None without rotary positions
    context: int  # tokens


@dataclasses.dataclass(frozen=True)
class Device:
    name: str
    label: str
    source: str
    memory_gb: float
    matrix_tflop_per_s: float
    memory_gb_per_s: float


CHOICES = {"ffn_matrices": (2, 3), "norm": ("rmsnorm", "layernorm"), "biases": ("none", "qkv", "all")}


def parameter_terms(configuration: Configuration) -> dict[str, int]:
    """Parameters by term (SwiGLU: Shazeer 2020, arXiv:2002.05202; RMSNorm: Zhang and Sennrich 2019)."""
    c = configuration
    V, D, L, H, G, d, F = c.vocabulary, c.hidden_size, c.layers, c.heads, c.kv_heads, c.head_dim, c.ffn_size
    qkv_biases = L * (H + 2 * G) * d
    other_biases = L * (D + (c.ffn_matrices - 1) * F + D)  # of attention's output, of gate and up, of down
    return {
        "token_embedding": V * D,
        "positions": c.learned_positions * D,
        "attention_q": L * D * H * d,
        "attention_kv": L * 2 * D * G * d,
        "attention_out": L * H * d * D,
        "ffn": L * c.ffn_matrices * D * F,
        "norms": (c.norms_per_layer * L + 1) * D * (2 if c.norm == "layernorm" else 1),  # one after the last layer
        "biases": {"none": 0, "qkv": qkv_biases, "all": qkv_biases + other_biases}[c.biases],
        "head": 0 if c.tied_embeddings else V * D,
    }


def parameters(configuration: Configuration) -> int:
    return sum(parameter_terms(configuration).values())


def read(path: Path) -> Configuration:
    """The published model in the YAML file `path`.

    Raises DataError for a file that is missing or no YAML, an unknown or missing key, a value out of range, KV heads
    that do not divide the heads, an odd head dimension with rotary positions.
    """
    content = read_keys(path, Configuration)
    for key, allowed in CHOICES.items():
        if content[key] not in allowed:
            refuse(path, content, key, " or ".join(map(str, allowed)))
    if content["heads"] % content["kv_heads"]:
        refuse(path, content, "kv_heads", f"a divisor of heads ({content['heads']})")
    if content["rope_base"] is not None and content["head_dim"] % 2:
        refuse(path, content, "head_dim", "an even number: rotary positions turn pairs")
    return Configuration(**content)


def read_device(path: Path) -> Device:
    """Raises DataError for a file that is missing or no YAML, an unknown or missing key, a value out of range."""
    return Device(**read_keys(path, Device))


def read_all(paths: list[Path]) -> dict[str, Configuration]:
    """Models by name, in the order given.

    Raises DataError when two files have one name, and what `read` raises.
    """
    found: dict[str, Configuration] = {}
    for path in paths:
        configuration = read(path)
        if configuration.name in found:
            raise DataError("two files give one model", file=path, key="name", value=configuration.name, remedy=REMEDY)
        found[configuration.name] = configuration
    return found


def choose(models: dict[str, Configuration], name: str) -> Configuration:
    """Raises DataError when no file gave the model `name`."""
    if name not in models:
        remedy = f"hand data/configurations/{name}.yaml to --configurations"
        raise DataError("a model is missing", key="name", value=name, found=", ".join(models), remedy=remedy)
    return models[name]


def read_keys(path: Path, cls: type) -> dict:
    """The file's mapping, with the keys of the dataclass `cls` and values of their types.

    Raises DataError for a file that is missing or no YAML, an unknown or missing key, a value of another type, a number
    below 1 (in `learned_positions` 0), an empty text.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=StrictLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError("cannot read YAML", file=path, remedy=REMEDY) from error
    fields = {field.name: field.type for field in dataclasses.fields(cls)}
    given = set(content) if isinstance(content, dict) else set()
    if given != fields.keys():
        wrong = {"unknown": given - fields.keys(), "missing": fields.keys() - given}
        keys = {kind: ", ".join(sorted(map(str, names))) for kind, names in wrong.items() if names}
        raise DataError(
            f"not the keys of a {cls.__name__.lower()}", file=path, **keys, allowed=", ".join(fields), remedy=REMEDY
        )
    for key, value in content.items():
        lowest = 0 if key == "learned_positions" else 1
        match fields[key]:
            case "str" if not (isinstance(value, str) and value.strip()):
                refuse(path, content, key, "a text")
            case "int" if type(value) is not int or value < lowest:
                refuse(path, content, key, f"a whole number, at least {lowest}")
            case "float" if type(value) not in (int, float) or not 0 < value < math.inf:
                refuse(path, content, key, "a number above 0")
            case "bool" if type(value) is not bool:
                refuse(path, content, key, "true or false")
            case "int | None" if value is not None and (type(value) is not int or value < 2):
                refuse(path, content, key, "null, or a whole number, at least 2")
    return content


def refuse(path: Path, content: dict, key: str, allowed: str) -> NoReturn:
    """Raises DataError for the value at `key`."""
    raise DataError("value is not allowed", file=path, key=key, value=content[key], allowed=allowed, remedy=REMEDY)
