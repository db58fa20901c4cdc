"""Count parameters term by term: all of them, and those that work for one token, of Mixtral 8x7B and of both arms.

Letters: V vocabulary, D hidden size, E experts, K chosen per token.

Mixtral is counted by the formulas of published/configurations.py, the arms of the race from their nn.Module on the meta
device, which has shapes and no memory.

`active` has K of the E experts and all else whole. That takes the token embedding whole too, V D, as the usual count
does, although a lookup reads one row of it, D. `with_one_expert` is the model with one expert in each layer, the "7B"
of "8x7B": eight of these would hold what is shared eight times.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from postproof.core import files, settings, tables
from postproof.core.errors import ArtefactError
from postproof.mixtral.model import ARMS, Decoder
from postproof.mixtral.settings import ModelSizes
from postproof.published import configurations
from postproof.published.configurations import Configuration

BYTES_PER_PARAMETER = 2  # bfloat16 and float16
EXPERTS = "experts"
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


def add_arguments(parser) -> None:
    parser.add_argument("--configuration", type=Path, required=True, help="YAML of the published model")
    parser.add_argument("--model", required=True, help="params section with the sizes of the race's model, as JSON")
    parser.add_argument("--corpus-info", type=Path, required=True, help="JSON of the prepared corpus")
    parser.add_argument("--out", type=Path, required=True, help="tidy CSV, one row per model and term")


def main(args) -> None:
    published = configurations.read(args.configuration)
    sizes = settings.parse(ModelSizes, args.model)
    vocabulary = read_vocabulary_size(args.corpus_info)
    models = [tabulate(published.name, published_terms(published), published.experts, published.top_k)]
    models += [tabulate(f"race_{arm}", race_terms(arm, sizes, vocabulary), sizes.experts, sizes.top_k) for arm in ARMS]
    tables.write(args.out, pd.concat(models), "mixtral/parameters")


def published_terms(configuration: Configuration) -> dict[str, int]:
    """Parameters of a published model by term, keys and values apart; a term that it has not is left out."""
    terms: dict[str, int] = {}
    ffn = EXPERTS if configuration.experts > 1 else "ffn"
    for term, parameters in configurations.parameter_terms(configuration).items():
        # As many for keys as for values.
        names = {"attention_kv": ["attention_k", "attention_v"], "ffn": [ffn]}.get(term, [term])
        terms |= {name: parameters // len(names) for name in names if parameters}
    return terms


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
    """One row per term, and their sum as term `all`."""
    rows = []
    for term, total in terms.items():
        group = EXPERTS if term == EXPERTS else "shared"
        # Experts are alike, so E divides their total.
        active, one = (total // experts * top_k, total // experts) if group == EXPERTS else (total, total)
        rows.append(
            {"model": model, "term": term, "group": group, "total": total, "active": active}
            | {"with_one_expert": one, "bytes_16bit": BYTES_PER_PARAMETER * total}
        )
    table = pd.DataFrame(rows)
    sums = table.sum(numeric_only=True).to_dict()
    return pd.concat([table, pd.DataFrame([{"model": model, "term": "all", "group": "all"} | sums])])


def read_vocabulary_size(path: Path) -> int:
    """Raises ArtefactError when the file is not the information about a prepared corpus."""
    info = files.read_json(path)
    size = info.get("vocabulary_size") if isinstance(info, dict) else None
    if type(size) is not int or size < 1:
        raise ArtefactError(
            "not the information about a corpus",
            file=path,
            key="vocabulary_size",
            value=size,
            allowed="a whole number, at least 1",
        )
    return size
