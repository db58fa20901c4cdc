"""Perplexity of SmolLM2-135M with one technique changed at a time, relative to the model as trained, on two texts. The
weights were trained with all of them, so this says what these weights rely on.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.lines import Line2D

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.llama2.figures.axes import plain_log
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
    ratios = table.set_index(["technique", "variant", "text"])["perplexity_ratio"].sort_index()
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 5.2))
    for y, row in enumerate(LABELS):
        values = {text: ratios[(*row, text)] for text in TEXTS}
        if all(pd.isna(ratio) for ratio in values.values()):
            axes.text(1.1, y, "states overflow float32", va="center", size=plotting.SMALL_POINTS)
            continue
        for (text, look), offset in zip(TEXTS.items(), (-0.17, 0.17)):
            ratio = values[text]
            if pd.isna(ratio):
                axes.text(1.1, y + 1.4 * offset, "states overflow float32", va="center", size=plotting.SMALL_POINTS)
                continue
            axes.plot(ratio, y + offset, look.marker, color=look.colour, markersize=7)
            number = f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2f}"
            axes.annotate(number, (ratio, y + offset), (8, 0), textcoords="offset points", va="center",
                          size=plotting.SMALL_POINTS)  # fmt: skip
    axes.axvline(1, color=palette.DARK_GREY, linewidth=1)
    axes.set(xscale="log", xlim=(0.8, 4 * ratios.max()), ylim=(len(LABELS) - 0.5, -0.5))
    plain_log(axes.xaxis)
    axes.set_yticks(range(len(LABELS)), labels(table), size=9)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("perplexity over that of the model as trained (log)")
    handles = [Line2D([], [], color=look.colour, marker=look.marker, linestyle="none", label=look.long)
               for look in TEXTS.values()]  # fmt: skip
    axes.legend(handles=handles, loc="upper right", fontsize=plotting.SMALL_POINTS)
    base = table[table["variant"] == "as_trained"].set_index("text")
    texts = ", ".join(f"{TEXTS[text].long}: {base.loc[text, 'tokens']:,} tokens, {base.loc[text, 'perplexity']:.1f} as "
                      "trained" for text in TEXTS)  # fmt: skip
    plotting.headed(
        figure,
        says(ratios),
        f"One technique changed at a time, all weights as trained and not trained again: what these weights rely on. "
        f"Perplexity relative to the model as trained ({texts}). The table has no error of a ratio.",
        plotting.source(TABLES, "SmolLM2-135M as released; nothing random, no seeds."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(ratios: pd.Series) -> str:
    """What the model loses without RoPE, and which changed technique loses it most."""
    off = ratios[("rope", "off")]
    without_norm = ratios[("norm", "off")]
    rope = f"Without RoPE SmolLM2's perplexity is {times(off)} times that as trained"
    norm = "the states overflow" if without_norm.isna().all() else f"it is {times(without_norm)} times"
    return f"{rope}; without norms {norm}; with one averaged KV head it is {times(ratios[('kv_heads', 'mean')])} times"


def times(ratio: pd.Series) -> str:
    """The range over the texts that have a number."""
    found = [f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" for value in sorted(ratio.dropna())]
    return "beyond all numbers" if not found else found[0] if found[0] == found[-1] else f"{found[0]} to {found[-1]}"


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
