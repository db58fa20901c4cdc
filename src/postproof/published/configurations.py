"""Published models and devices, read from data/configurations: facts with their source, closed keys, checked values.

The parameter count is by formulas, term by term, so that a model nobody published (the same with other KV heads) can
be counted too. Letters: V vocabulary, D hidden size, L layers, H heads, G key-value heads, d head dimension, F hidden
width of the feed-forward block or of an expert, E experts.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import NoReturn

from postproof.core import strict_yaml
from postproof.core.errors import DataError

REMEDY = "mend the file, or `git checkout` it"


@dataclasses.dataclass(frozen=True)
class Configuration:
    """A published decoder. A dense one has one feed-forward block a layer: its file names no experts."""

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
    experts: int = 1  # in each layer
    top_k: int = 1  # of them, for each token


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
    """Parameters by term (SwiGLU: Shazeer 2020, arXiv:2002.05202; RMSNorm: Zhang and Sennrich 2019; mixture of experts:
    Jiang et al. 2024, section 2; grouped-query attention as in Jiang et al. 2023, "Mistral 7B").

    RMSNorm has a gain and no offset; SwiGLU has three matrices; rotary positions have no parameters. `ffn` has all
    experts.
    """
    c = configuration
    V, D, L, H, G, d, F = c.vocabulary, c.hidden_size, c.layers, c.heads, c.kv_heads, c.head_dim, c.ffn_size
    E, is_mixture = c.experts, c.experts > 1
    qkv_biases = L * (H + 2 * G) * d
    other_biases = L * (D + (c.ffn_matrices - 1) * F + D)  # of attention's output, of gate and up, of down
    return {
        "token_embedding": V * D,
        "positions": c.learned_positions * D,
        "attention_q": L * D * H * d,
        "attention_kv": L * 2 * D * G * d,
        "attention_out": L * H * d * D,
        "norms": (c.norms_per_layer * L + 1) * D * (2 if c.norm == "layernorm" else 1),  # one after the last layer
        "router": is_mixture * L * D * E,
        "ffn": L * E * c.ffn_matrices * D * F,
        "biases": {"none": 0, "qkv": qkv_biases, "all": qkv_biases + other_biases}[c.biases],
        "head": 0 if c.tied_embeddings else V * D,
    }


def parameters(configuration: Configuration) -> int:
    return sum(parameter_terms(configuration).values())


def read(path: Path) -> Configuration:
    """The published model in the YAML file `path`.

    Raises DataError for a file that is missing or no YAML, an unknown or missing key, a value out of range, KV heads
    that do not divide the heads, an odd head dimension with rotary positions, more experts for a token than there are.
    """
    content = read_keys(path, Configuration)
    for key, allowed in CHOICES.items():
        if content[key] not in allowed:
            refuse(path, content, key, " or ".join(map(str, allowed)))
    if content["heads"] % content["kv_heads"]:
        refuse(path, content, "kv_heads", f"a divisor of heads ({content['heads']})")
    if content["rope_base"] is not None and content["head_dim"] % 2:
        refuse(path, content, "head_dim", "an even number: rotary positions turn pairs")
    configuration = Configuration(**content)
    if configuration.top_k > configuration.experts:
        refuse(path, content, "top_k", f"at most experts ({configuration.experts})")
    if configuration.experts > 1 and configuration.biases != "none":
        refuse(path, content, "biases", "none in a mixture of experts: the formulas know of no others")
    return configuration


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
    """The file's mapping, with the keys of the dataclass `cls` and values of their types. Fields with a default may be
    left out.

    Raises DataError for a file that is missing or no YAML, an unknown or missing key, a value of another type, a number
    below 1 (in `learned_positions` 0), an empty text.
    """
    content = strict_yaml.load(path, DataError, remedy=REMEDY)
    fields = {field.name: field.type for field in dataclasses.fields(cls)}
    required = {field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING}
    given = set(content)
    if not required <= given <= fields.keys():
        wrong = {"unknown": given - fields.keys(), "missing": required - given}
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
