"""One label and look for each encoding, curve and base that the rope charts compare."""

from __future__ import annotations

from postproof.variants import Variant

CURVES = {
    variant.stem: variant
    for variant in [
        Variant("rope_independent", "RoPE", "RoPE, q and k independent", "#0072B2", "o"),
        Variant("rope_same", "RoPE, q = k", "RoPE, k = q", "#000000", "D"),
        Variant("sinusoidal_renormalised", "sinusoidal", "sinusoidal, added, renormalised", "#E69F00", "s"),
        Variant("sinusoidal_added", "added only", "sinusoidal, added only", "#D55E00", "^"),
    ]
}
BASE_LOOKS = [("#0072B2", "o"), ("#E69F00", "s"), ("#000000", "D"), ("#D55E00", "^")]  # by base, ascending


def powers_of_two(tokens: float) -> str:
    """`4k` for 4,096: how contexts are spoken of."""
    return f"{tokens // 1024:g}k" if tokens % 1024 == 0 else f"{tokens:,g}"
