"""Count parameters term by term: all of them, and those that work for one token, of Mixtral 8x7B and of both arms.

Letters: V vocabulary, D hidden size, L layers, H heads, G key-value heads, d head dimension, F hidden width of an
expert, E experts, K chosen per token.

Mixtral is counted by formulas from its public configuration, the arms of the race from their nn.Module on the meta
device, which has shapes and no memory.

`active` has K of the E experts and all else whole. That takes the token embedding whole too, V D, as the usual count
does, although a lookup reads one row of it, D. `with_one_expert` is the model with one expert in each layer, the "7B"
of "8x7B": eight of these would hold what is shared eight times.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import torch

from postproof import configurations, files, sections
from postproof.errors import ArtefactError
from postproof.mixtral.model import ARMS, Decoder, ModelSizes

BYTES_PER_PARAMETER = 2  # bfloat16 and float16
EXPERTS = "experts"

# The formulas below are those of a model like this, and of no other.
FIXED = {"tied_embeddings": False, "norm": "rmsnorm", "biases": False}
TERM_BY_NAME = {
    "token_embedding": "token_embedding",
    "position_embedding": "positions",
    "attention.qkv": "attention_qkv",
    "attention.out": "attention_out",
    "norm": "norms",
    "ffn.router": "router",
    "ffn.experts": EXPERTS,
    "ffn": "ffn",
    "head": "head",
}


@dataclasses.dataclass(frozen=True)
class Configuration:
    """A published model, as far as it decides the number of parameters. Whole numbers are at least 1."""

    name: str
    source: str
    vocabulary: int
    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn_size: int
    experts: int
    top_k: int
    tied_embeddings: bool
    norm: str
    biases: bool


def add_arguments(parser) -> None:
    parser.add_argument("--configuration", type=Path, required=True, help="YAML of the published model")
    parser.add_argument("--model", required=True, help="params section with the sizes of the race's model, as JSON")
    parser.add_argument("--corpus-info", type=Path, required=True, help="JSON of the prepared corpus")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per model and term")


def main(args) -> None:
    configuration = read_configuration(args.configuration)
    sizes = sections.parse(ModelSizes, args.model)
    vocabulary = read_vocabulary_size(args.corpus_info)
    tables = [tabulate(configuration.name, mixtral_terms(configuration), configuration.experts, configuration.top_k)]
    tables += [tabulate(f"race_{arm}", race_terms(arm, sizes, vocabulary), sizes.experts, sizes.top_k) for arm in ARMS]
    files.write_csv(args.out, pd.concat(tables))


def mixtral_terms(configuration: Configuration) -> dict[str, int]:
    """Parameters by term (Jiang et al. 2024, section 2; grouped-query attention as in Jiang et al. 2023, "Mistral 7B").

    RMSNorm (Zhang and Sennrich 2019) has a gain and no offset; SwiGLU has three matrices; rotary positions have none.
    """
    c = configuration
    V, D, L, F, E = c.vocabulary, c.hidden_size, c.layers, c.ffn_size, c.experts
    H, G, d = c.heads, c.kv_heads, c.head_dim
    return {
        "token_embedding": V * D,
        "attention_q": L * D * H * d,
        "attention_k": L * D * G * d,
        "attention_v": L * D * G * d,
        "attention_out": L * H * d * D,
        "norms": (2 * L + 1) * D,  # before attention and before the experts; one after the last layer
        "router": L * D * E,
        EXPERTS: L * E * 3 * D * F,  # gate, up, down
        "head": D * V,
    }


def race_terms(arm: str, sizes: ModelSizes, vocabulary: int) -> dict[str, int]:
    """Parameters of one arm by term, biases with the matrix they belong to, as they stand in the module."""
    with torch.device("meta"):
        model = Decoder(arm, sizes, vocabulary)
    terms: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        term = next(term for part, term in TERM_BY_NAME.items() if part in name)
        # q, k and v are one product of width 3 D in the module.
        names = ["attention_q", "attention_k", "attention_v"] if term == "attention_qkv" else [term]
        for each in names:
            terms[each] = terms.get(each, 0) + parameter.numel() // len(names)
    return terms


def tabulate(model: str, terms: dict[str, int], experts: int, top_k: int) -> pd.DataFrame:
    """One row per term, and their sum as term `all`.

    Columns: model, term, group (shared: works for every token; experts; all), total, active, with_one_expert
    (parameters), bytes_16bit (bytes that hold `total` at two bytes each).
    """
    rows = []
    for term, total in terms.items():
        group = EXPERTS if term == EXPERTS else "shared"
        # Experts are alike, so E divides their total.
        active, one = (total // experts * top_k, total // experts) if group == EXPERTS else (total, total)
        rows.append({"model": model, "term": term, "group": group, "total": total, "active": active}
                    | {"with_one_expert": one, "bytes_16bit": BYTES_PER_PARAMETER * total})  # fmt: skip
    table = pd.DataFrame(rows)
    sums = table.sum(numeric_only=True).to_dict()
    return pd.concat([table, pd.DataFrame([{"model": model, "term": "all", "group": "all"} | sums])])


def read_configuration(path: Path) -> Configuration:
    """The published configuration.

    Raises DataError for a file that is missing or no YAML, an unknown or missing key, a value out of range.
    """
    content = configurations.read_keys(path, Configuration)
    for key, value in FIXED.items():
        if content[key] != value:
            configurations.refuse(path, content, key, f"{str(value).lower()}: the formulas are for no other")
    if content["top_k"] > content["experts"]:
        configurations.refuse(path, content, "top_k", f"at most experts ({content['experts']})")
    if content["heads"] % content["kv_heads"]:
        configurations.refuse(path, content, "kv_heads", f"a divisor of heads ({content['heads']})")
    return Configuration(**content)


def read_vocabulary_size(path: Path) -> int:
    """Raises ArtefactError when the file is not the information about a prepared corpus."""
    info = files.read_json(path)
    size = info.get("vocabulary_size") if isinstance(info, dict) else None
    if type(size) is not int or size < 1:
        raise ArtefactError(
            "not the information about a corpus", file=path, key="vocabulary_size", value=size,
            allowed="a whole number, at least 1",
        )  # fmt: skip
    return size
