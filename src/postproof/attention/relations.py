"""How the values of the section `attention` in params.yaml must fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from postproof.attention import full_length

DEFAULT_MODEL = "smollm2_135m"
OWN_MODELS = (DEFAULT_MODEL, "race_")  # runs of their names are made otherwise


def relations(attention: Mapping) -> Iterator[tuple[bool, str, Any, str]]:
    """Whether each relation holds, the key and value to blame where it does not, and what would be allowed."""
    scaling, weights = attention["softmax_scaling"], attention["attention_weights"]
    memory, heads, runs = attention["score_memory"], attention["heads"], attention["head_runs"]
    for section, counts in (("softmax_scaling", scaling["heads"]), ("attention_weights", [weights["heads"]])):
        for count in counts:
            d_model = attention[section]["d_model"]
            yield (d_model % count == 0, f"{section}.heads", count, f"a number that divides d_model ({d_model})")
    posted_shape = attention["attention_check"]["shapes"][0]
    yield (
        posted_shape[2] == posted_shape[3],
        "attention_check.shapes",
        posted_shape,
        "as many queries as keys in the first shape, which gets the causal mask",
    )
    yield (
        weights["head"] < weights["heads"],
        "attention_weights.head",
        weights["head"],
        f"less than heads ({weights['heads']})",
    )
    yield (
        sum(sequence <= memory["fit_longest"] for sequence in memory["sequences"]) > 2,
        "score_memory.fit_longest",
        memory["fit_longest"],
        "at least the third of score_memory.sequences: a polynomial of second degree has three terms",
    )
    yield (
        heads["copy_below"] < heads["broad_above"],
        "heads.copy_below",
        heads["copy_below"],
        f"less than broad_above ({heads['broad_above']})",
    )
    # Sentences that fill the positions set the scale of the thresholds (head_classes.py).
    largest_entropy = full_length.entropy(runs["positions"])
    yield (
        heads["broad_above"] < largest_entropy,
        "heads.broad_above",
        heads["broad_above"],
        f"below {largest_entropy:.3f}, the entropy of uniform attention over head_runs.positions ({runs['positions']})",
    )
    uniform_diagonal = full_length.diagonal(runs["positions"], runs["reach"])
    yield (
        heads["local_above"] > uniform_diagonal,
        "heads.local_above",
        heads["local_above"],
        f"above {uniform_diagonal:.3f}, the diagonal score of uniform attention over head_runs.positions "
        f"({runs['positions']}) with head_runs.reach {runs['reach']}",
    )
    for name in attention["hub_models"]:
        yield (
            not name.startswith(OWN_MODELS),
            "hub_models",
            name,
            f"names that do not begin with {' or '.join(OWN_MODELS)}",
        )
    drawable = [DEFAULT_MODEL, *attention["hub_models"]]
    yield (
        attention["drawn_model"] in drawable,
        "drawn_model",
        attention["drawn_model"],
        f"one of {', '.join(drawable)}",
    )
