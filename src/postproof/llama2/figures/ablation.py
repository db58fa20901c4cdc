"""Perplexity of SmolLM2-135M with one technique changed at a time, relative to the model as trained, on two texts. The
weights were trained with all of them, so this says what these weights rely on.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.llama2.looks import TEXTS

TABLES = ("llama2/ablation",)

# (technique, variant), in the order of the rows from the top; braces are filled from the table.
LABELS = {
    ("rope", "starts_late"): "RoPE: positions from {first_position:,.0f} on",
    ("rope", "other_base"): "RoPE: base {rope_base:,.0f} for {trained.rope_base:,.0f}",
    ("rope", "off"): "RoPE: off",
    ("norm", "layer_norm"): "Norm: LayerNorm without shift",
    ("norm", "fixed"): "Norm: one divisor for all tokens",
    ("norm", "off"): "Norm: off",
    ("kv_heads", "repeated"): "KV heads: {trained.kv_heads:.0f} repeated to {kv_heads:.0f} (MHA)",
    ("kv_heads", "mean"): "KV heads: {trained.kv_heads:.0f} averaged to {kv_heads:.0f} (MQA)",
}
SAME = [("rope", "starts_late"), ("kv_heads", "repeated")]  # of which mathematics says that nothing changes
TOLERANCE = 1e-4


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(*args.tables)
    ratios = table.set_index(["technique", "variant", "text"])["perplexity_ratio"]
    plotting.style()
    figure, axes = plt.subplots(figsize=(10, 4.8))
    right = 3 * ratios.max()
    for y, row in enumerate(LABELS):
        for text, look in TEXTS.items():
            ratio, offset = ratios[(*row, text)], -0.14 if text == "shakespeare" else 0.14
            if pd.isna(ratio):
                axes.text(1.1, y + 1.4 * offset, "states overflow float32", va="center", fontsize=8)
                continue
            label = look.long if y == 0 else None
            axes.plot(ratio, y + offset, look.marker, color=look.colour, markersize=7, label=label)
            number = f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.2f}"
            axes.annotate(number, (ratio, y + offset), (8, 0), textcoords="offset points", va="center", fontsize=8)
    axes.axvline(1, color=palette.DARK_GREY, linewidth=1)
    axes.set(xscale="log", xlim=(0.8, right), ylim=(len(LABELS) - 0.5, -0.5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks(range(len(LABELS)), labels(table))
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("perplexity over that of the model as trained (logarithmic; 1: nothing lost)")
    base = table[table["variant"] == "as_trained"].set_index("text")["perplexity"]
    axes.set_title(
        "SmolLM2-135M with one technique changed, all weights as trained and not trained again\n"
        f"Perplexity as trained: {base['shakespeare']:.1f} (Shakespeare), {base['plain_english']:.1f} (our page)",
        fontsize=10,
    )
    axes.legend(loc="upper right", fontsize=9)
    plotting.save(figure, args.out_svg, args.out_png)


def labels(table: pd.DataFrame) -> list[str]:
    rows = table.drop_duplicates(["technique", "variant"]).set_index(["technique", "variant"])
    trained = rows.loc[("none", "as_trained")]
    return [label.format(trained=trained, **rows.loc[row]) for row, label in LABELS.items()]


def read(path: Path) -> pd.DataFrame:
    """The table of llama2.ablation.

    Raises ArtefactError when it is not of its schema, a row is missing, or an identity does not hold.
    """
    table = tables.read(path, *TABLES)
    rows = table.set_index(["technique", "variant", "text"]).sort_index()
    expected = {(*row, text) for row in [("none", "as_trained"), *LABELS] for text in TEXTS}
    if set(rows.index) != expected or rows.index.has_duplicates:
        raise ArtefactError("table does not hold each variant and text once", file=path)
    ratios = rows["perplexity_ratio"]
    identities = {
        "numbers stand where the outcome is finite": (ratios.notna() == (rows["outcome"] == "finite")).all(),
        "as trained the ratio is 1": (ratios.loc[("none", "as_trained")] == 1).all(),
        "changes that mathematics calls none change nothing": all(
            abs(ratios[(*row, text)] - 1) < TOLERANCE for row in SAME for text in TEXTS
        ),
    }
    tables.must_hold(path, identities)
    return table
