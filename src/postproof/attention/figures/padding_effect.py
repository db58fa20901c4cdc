"""Chart: entropy of real and of padding rows by layer, and what each adds to the mean over all rows.

The first model of the table, and its rows of padding where another token pads. Above padding is hidden by the mask (as
posted), below it is seen.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof import files, plotting
from postproof.attention.head_looks import PADDED_OTHERWISE, model_name
from postproof.errors import ArtefactError

GROUPS = {
    "real": {"color": "#0072B2", "label": "rows of real tokens"},
    "padding": {"color": "#E69F00", "label": "rows of padding"},
}
OTHERS = [
    {"color": "#D55E00", "linestyle": "--", "marker": "^"},
    {"color": "#000000", "linestyle": ":", "marker": "D"},
    {"color": "#CC79A7", "linestyle": "-.", "marker": "v"},
]
MARKERS = {"real": "o", "padding": "s"}
PADDINGS = {"hidden": "padding masked (as posted)", "seen": "padding not masked"}
NUMBERS = ["layer", "padding_rows_share", "entropy", "padding_part_share", "real_part", "padding_part"] + [
    f"{group}_{name}" for group in GROUPS for name in ("entropy", "low", "high")
]


def add_arguments(parser) -> None:
    plotting.add_figure_arguments(parser, "padding_effect")


def main(args) -> None:
    (path,) = args.tables
    table = files.read_csv(path, ["model", "padding", "pad_token"], NUMBERS)
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
        axes.plot(rows["layer"], rows[f"{group}_entropy"], marker=MARKERS[group], markersize=4, **look)
        axes.fill_between(rows["layer"], rows[f"{group}_low"], rows[f"{group}_high"], color=look["color"], alpha=0.25)


def draw_others(axes: Axes, table: pd.DataFrame) -> None:
    for (_, rows), look in zip(table.groupby("model"), OTHERS):
        label = f"rows of padding, padded with “{rows['pad_token'].iloc[0]}”"
        axes.plot(rows["layer"], rows["padding_entropy"], linewidth=1.4, markersize=4, label=label, **look)


def draw_parts(axes: Axes, rows: pd.DataFrame) -> None:
    bottom = np.zeros(len(rows))
    for group, look in GROUPS.items():
        part = rows[f"{group}_part"].to_numpy()
        axes.bar(rows["layer"], part, bottom=bottom, width=0.85, edgecolor="white", **look)
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
    for identity, holds in identities.items():
        if not holds:
            raise ArtefactError("table breaks an identity", file=path, identity=identity)
