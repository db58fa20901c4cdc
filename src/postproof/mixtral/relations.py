"""How the values of the section `mixtral` in params.yaml must fit together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

# Texts that a job fetches; any other is a file of the user's.
FETCHED_CORPORA = tuple(f"data/raw/{name}.txt" for name in ("shakespeare", "tinystories", "wikitext2"))


def relations(mixtral: Mapping) -> Iterator[tuple[bool, str, Any, str]]:
    """Whether each relation holds, the key and value to blame where it does not, and what would be allowed."""
    corpus, model = mixtral["corpus"], mixtral["model"]
    race, balance, telemetry = mixtral["race"]["training"], mixtral["router_balance"]["training"], mixtral["telemetry"]
    yield (
        model["d_model"] % model["heads"] == 0,
        "model.d_model",
        model["d_model"],
        f"a multiple of heads ({model['heads']})",
    )
    for key, experts in [
        ("model.experts", model["experts"]),
        ("worked_token.logits", len(mixtral["worked_token"]["logits"])),
    ]:
        yield (
            model["top_k"] <= experts,
            "model.top_k",
            model["top_k"],
            f"at most {experts}, the number of {key}",
        )
    for key, characters in [("corpus", corpus["characters"]), ("full", mixtral["full"]["characters"])]:
        train = round(characters * corpus["train_fraction"])
        yield (
            model["sequence"] < min(characters - train, train),
            "model.sequence",
            model["sequence"],
            f"less than either split of {key}.characters ({train} and {characters - train})",
        )
    yield (
        race["checkpoint_flops"] <= race["budget_flops"],
        "race.training.checkpoint_flops",
        race["checkpoint_flops"],
        f"at most budget_flops ({race['budget_flops']:g})",
    )
    yield (
        balance["checkpoint_steps"] <= balance["steps"],
        "router_balance.training.checkpoint_steps",
        balance["checkpoint_steps"],
        f"at most steps ({balance['steps']})",
    )
    for devices in telemetry["devices"]:
        yield (
            model["experts"] % devices == 0,
            "telemetry.devices",
            devices,
            f"a number that divides model.experts ({model['experts']})",
        )
    in_proportion = ("d_model", "heads", "dense_ffn", "expert_ffn")
    width_step = model["d_model"] // math.gcd(*(model[name] for name in in_proportion))
    for experiment in ("isoflop", "full"):
        for width in mixtral[experiment]["widths"]:
            yield (
                width % width_step == 0,
                f"{experiment}.widths",
                width,
                f"a multiple of {width_step}, at which the heads and widths of mixtral.model come out whole",
            )
