"""What padding contributes to the posted means: entropy of real rows and of padding rows by layer (left), and what
each kind of rows adds to the mean over all rows (right). Above, padding is hidden by the mask, as in the post; below it
is seen. Thin lines: padded with other tokens. Bands: 95 % bootstrap over sentences.

The first model of the table is the one to be drawn, with its rows of padding where another token pads.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.attention.looks import LOOKS, OTHER_PADDINGS, PADDED_OTHERWISE, model_name
from postproof.charts import palette, plotting
from postproof.charts.palette import Look
from postproof.charts.plotting import percent
from postproof.core import tables

TABLES = ("attention/padding_effect",)
GROUPS = {"real": LOOKS["real_tokens"], "padding": LOOKS["padding"]}
NAMES = {"real": "rows of real tokens", "padding": "rows of padding"}
PADDINGS = {"hidden": "padding masked, as in the post", "seen": "padding not masked"}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    (path,) = args.tables
    (table,) = tables.read_all(args.tables, TABLES)
    model = table["model"].iloc[0]
    padded_otherwise = table[table["model"].str.startswith(model + PADDED_OTHERWISE)]
    for _, rows in padded_otherwise.groupby("model"):
        check(rows, path)
    table = table[table["model"] == model]
    check(table, path)
    plotting.style()
    figure, grid = plt.subplots(2, 2, figsize=(plotting.COLUMN, 7.4), sharex=True, sharey="row")
    for (left, right), (padding, title) in zip(grid, PADDINGS.items()):
        rows = table[table["padding"] == padding].sort_values("layer")
        draw_rows(left, rows)
        draw_others(left, padded_otherwise[padded_otherwise["padding"] == padding])
        draw_parts(right, rows)
        left.set_title(f"{title}:\nentropy of each kind of rows", fontsize=plotting.SMALL_POINTS)
        right.set_title(f"{title}:\nwhat each adds to the mean", fontsize=plotting.SMALL_POINTS)
        left.set(ylabel="nats", ylim=(0, None))
    for axes in grid[-1]:
        axes.set(xlabel="layer", xlim=(-0.7, table["layer"].max() + 0.7))
    grid[1, 0].legend(loc="upper left", bbox_to_anchor=(-0.1, -0.2), ncols=1, fontsize=plotting.SMALL_POINTS)
    share, pad_token = table["padding_rows_share"].iloc[0], table["pad_token"].iloc[0]
    plotting.headed(
        figure,
        says(table),
        f"Attention entropy by layer, mean of the heads over {table['padded_sentences'].iloc[0]:.0f} sentences."
        f" {percent(share)} of the rows are padding, with “{pad_token}” unless another token is named."
        " Bands: 95 % bootstrap over sentences.",
        plotting.source(TABLES, f"{model_name(model)}."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(table: pd.DataFrame) -> str:
    """As posted: which rows make most of what the mean falls from the first to the last third of layers; their ends."""
    rows = table[table["padding"] == "hidden"].sort_values("layer")
    third = max(1, len(rows) // 3)
    ends = {
        group: (rows[f"{group}_entropy"].iloc[:third].mean(), rows[f"{group}_entropy"].iloc[-third:].mean())
        for group in GROUPS
    }
    falls = {
        group: rows[f"{group}_part"].iloc[:third].mean() - rows[f"{group}_part"].iloc[-third:].mean()
        for group in GROUPS
    }
    words = {group: f"from {early:.2f} to {late:.2f}" for group, (early, late) in ends.items()}
    if sum(falls.values()) <= 0:
        seen = "Mean entropy does not fall with depth"
    elif falls["real"] < falls["padding"]:
        seen = "The fall with depth is mostly padding's"
    else:
        seen = "The fall with depth is not mostly padding's"
    return (
        f"{seen}: from the first to the last third of layers, rows of padding go {words['padding']} nats, "
        f"rows of real tokens {words['real']}"
    )


def draw_rows(axes: Axes, rows: pd.DataFrame) -> None:
    for group, look in GROUPS.items():
        axes.plot(rows["layer"], rows[f"{group}_entropy"], label=NAMES[group], **as_line(look))
        axes.fill_between(rows["layer"], rows[f"{group}_low"], rows[f"{group}_high"], color=look.colour, alpha=0.25)


def draw_others(axes: Axes, table: pd.DataFrame) -> None:
    for (_, rows), look in zip(table.groupby("model"), OTHER_PADDINGS.values()):
        label = f"rows of padding, padded with “{rows['pad_token'].iloc[0]}”"
        axes.plot(rows["layer"], rows["padding_entropy"], linewidth=1.2, label=label, **as_line(look))
        axes.fill_between(rows["layer"], rows["padding_low"], rows["padding_high"], color=look.colour, alpha=0.15)


def as_line(look: Look) -> dict:
    return {"color": look.colour, "linestyle": look.line, "marker": look.marker, "markersize": 3}


def draw_parts(axes: Axes, rows: pd.DataFrame) -> None:
    bottom = np.zeros(len(rows))
    for group, look in GROUPS.items():
        part = rows[f"{group}_part"].to_numpy()
        axes.bar(rows["layer"], part, bottom=bottom, width=0.85, color=look.colour, edgecolor=palette.WHITE)
        bottom += part
    axes.grid(axis="x", visible=False)
    axes.set_axisbelow(True)


def check(table: pd.DataFrame, path: Path) -> None:
    """Raises ArtefactError unless the parts sum to the mean, intervals hold their means and each layer stands once."""
    identities = {
        "parts sum to the mean over all rows": np.allclose(
            table["real_part"] + table["padding_part"], table["entropy"]
        ),
        "share is the part over the mean": np.allclose(
            table["padding_part_share"] * table["entropy"], table["padding_part"], atol=1e-7
        ),
    }
    for group in GROUPS:
        mean, low, high = (table[f"{group}_{name}"] for name in ("entropy", "low", "high"))
        identities[f"interval of {group} rows holds their mean"] = mean.between(low - 1e-9, high + 1e-9).all()
    for padding in PADDINGS:
        layers = sorted(table.loc[table["padding"] == padding, "layer"])
        once = layers != [] and layers == list(range(len(layers)))
        identities[f"padding {padding}: every layer stands once"] = once
    # Real rows see no padding, masked or not.
    by_padding = table.pivot_table(index="layer", columns="padding", values="real_entropy")
    identities["real rows are the same either way"] = set(PADDINGS) <= set(by_padding.columns) and np.allclose(
        by_padding["hidden"], by_padding["seen"], atol=1e-6
    )
    tables.must_hold(path, identities)
