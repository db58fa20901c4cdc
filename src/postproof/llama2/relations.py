"""How the values of the section `llama2` in params.yaml must fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def relations(llama2: Mapping) -> Iterator[tuple[bool, str, Any, str]]:
    """Whether each relation holds, the key and value to blame where it does not, and what would be allowed."""
    head, diagram, memory = llama2["head"], llama2["rope_diagram"], llama2["kv_cache_memory"]
    yield (
        head["larger_base"] > head["base"],
        "head.larger_base",
        head["larger_base"],
        f"more than base ({head['base']:g})",
    )
    for pair in diagram["pairs"]:
        yield (
            pair < head["d_head"] // 2,
            "rope_diagram.pairs",
            pair,
            f"less than half of head.d_head ({head['d_head']})",
        )
    yield (
        diagram["key_position"] <= diagram["query_position"],
        "rope_diagram.key_position",
        diagram["key_position"],
        f"at most query_position ({diagram['query_position']})",
    )
    yield (
        memory["sequence_step"] <= memory["longest_sequence"],
        "kv_cache_memory.sequence_step",
        memory["sequence_step"],
        f"at most longest_sequence ({memory['longest_sequence']})",
    )
