"""What padding contributes to the posted means: entropy of real rows and of padding rows by layer.
For several tokens to pad with; above, padding is hidden by the mask (as posted), below it is seen; on the right, what
each kind of rows adds to the mean over all rows.

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
from postproof.core import tables

TABLES = ("attention/padding_effect",)
GROUPS = {"real": LOOKS["real_tokens"], "padding": LOOKS["padding"]}
NAMES = {"real": "rows of real tokens", "padding": "rows of padding"}
PADDINGS = {"hidden": "padding masked (as posted)", "seen": "padding not masked"}


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
    figure, grid = plt.subplots(2, 2, figsize=(12, 7.8), sharex=True, sharey="row")
    for (left, right), (padding, title) in zip(grid, PADDINGS.items()):
        rows = table[table["padding"] == padding].sort_values("layer")
        draw_rows(left, rows)
        draw_others(left, padded_otherwise[padded_otherwise["padding"] == padding])
        draw_parts(right, rows)
        left.set_title(f"{title}: entropy of each kind of rows", fontsize=10)
        right.set_title(f"{title}: what each adds to the mean", fontsize=10)
        left.set(ylabel="nats", ylim=(0, None))
    for axes in grid[-1]:
        axes.set(xlabel="layer", xlim=(-0.7, table["layer"].max() + 0.7))
    figure.legend(handles=grid[0, 0].get_lines(), loc="outside lower center", ncols=4, fontsize=9)
    share, pad_token = table["padding_rows_share"].iloc[0], table["pad_token"].iloc[0]
    figure.suptitle(
        f"{model_name(table['model'].iloc[0])}: attention entropy by layer, mean of the heads over the same sentences\n"
        f"(padded to one length with “{pad_token}”: {share:.0%} of the rows; bands: 95% bootstrap over sentences)",
        fontsize=11,
    )
    plotting.save(figure, args.out_svg, args.out_png)


def draw_rows(axes: Axes, rows: pd.DataFrame) -> None:
    for group, look in GROUPS.items():
        axes.plot(rows["layer"], rows[f"{group}_entropy"], label=NAMES[group], **as_line(look))
        axes.fill_between(rows["layer"], rows[f"{group}_low"], rows[f"{group}_high"], color=look.colour, alpha=0.25)


def draw_others(axes: Axes, table: pd.DataFrame) -> None:
    for (_, rows), look in zip(table.groupby("model"), OTHER_PADDINGS.values()):
        label = f"rows of padding, padded with “{rows['pad_token'].iloc[0]}”"
        axes.plot(rows["layer"], rows["padding_entropy"], linewidth=1.4, label=label, **as_line(look))


def as_line(look: Look) -> dict:
    return {"color": look.colour, "linestyle": look.line, "marker": look.marker, "markersize": 4}


def draw_parts(axes: Axes, rows: pd.DataFrame) -> None:
    bottom = np.zeros(len(rows))
    for group, look in GROUPS.items():
        part = rows[f"{group}_part"].to_numpy()
        axes.bar(rows["layer"], part, bottom=bottom, width=0.85, color=look.colour, edgecolor=palette.WHITE)
        bottom += part
    axes.grid(axis="x", visible=False)


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
