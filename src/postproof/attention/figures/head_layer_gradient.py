"""Attention entropy by layer, with 95 % intervals over sentences, and how many heads of each class a layer has.
Under the posted protocol and over real tokens alone; of one model.

The first model of the table is the one to be drawn.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from postproof.attention.looks import CLASSES, PROTOCOLS, model_name
from postproof.charts import palette, plotting
from postproof.charts.palette import Look
from postproof.core import tables

TABLES = ("attention/heads_by_layer", "attention/head_limits")
STATISTICS = ("entropy", "entropy_share")
STACKS = {
    ("as_posted", "posted"): "as posted: padded, posted thresholds",
    ("real_tokens", "reachable"): "real tokens, thresholds moved to where they can be reached",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, limits = tables.read_all(args.tables, TABLES)
    model = table["model"].iloc[0]
    table, limits = table[table["model"] == model], limits[limits["model"] == model].set_index("protocol")
    check(table, limits, args.tables[0])
    plotting.style()
    figure = plt.figure(figsize=(13, 7))
    grid = figure.add_gridspec(2, 2)
    draw_lines(figure.add_subplot(grid[0, 0]), table, "entropy", limits["entropy_limit"])
    draw_lines(figure.add_subplot(grid[1, 0]), table, "entropy_share", None)
    stacks = [figure.add_subplot(grid[row, 1]) for row in range(2)]
    for axes, (panel, title) in zip(stacks, STACKS.items()):
        draw_stack(axes, table, *panel)
        axes.set_title(title, fontsize=10)
    figure.legend(
        handles=[patch(look) for look in CLASSES.values()],
        loc="outside lower right", ncols=4, fontsize=9,
    )  # fmt: skip
    figure.suptitle(
        f"{model_name(model)}: attention by layer, mean of the heads over {limits['sentences'].iloc[0]:.0f} sentences"
        f" of {limits['tokens_mean'].iloc[0]:.1f} tokens (bands: 95% bootstrap over sentences)",
        fontsize=11,
    )
    plotting.save(figure, args.out_svg, args.out_png)


def patch(look: Look) -> Patch:
    return Patch(facecolor=look.colour, hatch=look.hatch, edgecolor=palette.WHITE, label=look.short)


def draw_lines(axes: Axes, table: pd.DataFrame, name: str, limits: pd.Series | None) -> None:
    for protocol, look in PROTOCOLS.items():
        rows = table[table["protocol"] == protocol]
        axes.plot(rows["layer"], rows[name], color=look.colour, linestyle=look.line, marker=look.marker, markersize=4,
                  label=look.long)  # fmt: skip
        axes.fill_between(rows["layer"], rows[f"{name}_low"], rows[f"{name}_high"], color=look.colour, alpha=0.2)
        if limits is not None:
            axes.annotate(
                f"{limits[protocol]:.2f}", (1, limits[protocol]), xycoords=("axes fraction", "data"), xytext=(4, 0),
                textcoords="offset points", va="center", fontsize=8, color=look.colour, annotation_clip=False,
            )  # fmt: skip
            axes.axhline(limits[protocol], color=look.colour, linewidth=0.8, alpha=0.6)
    axes.set(xlabel="layer", ylim=(0, None), xlim=(-0.6, table["layer"].max() + 0.6))
    axes.set_ylabel("entropy (nats)" if limits is not None else "share of the largest entropy")
    if limits is not None:
        axes.set_title("entropy; thin lines: the largest that any head could have", fontsize=10)
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.55, 0.94))
    else:
        axes.set_title("as a share of the largest that each row allows", fontsize=10)


def draw_stack(axes: Axes, table: pd.DataFrame, protocol: str, basis: str) -> None:
    rows = table[table["protocol"] == protocol].sort_values("layer")
    bottom = np.zeros(len(rows))
    for kind, look in CLASSES.items():
        counts = rows[f"{kind}_{basis}"].to_numpy()
        axes.bar(rows["layer"], counts, bottom=bottom, width=0.85, facecolor=look.colour, hatch=look.hatch,
                 edgecolor=palette.WHITE)  # fmt: skip
        bottom += counts
    axes.set(xlabel="layer", ylabel="heads", xlim=(-0.6, len(rows) - 0.4), ylim=(0, 1.16 * bottom.max()))
    axes.set_yticks(range(0, int(bottom.max()) + 1, 3))
    axes.grid(axis="x", visible=False)
    totals = {kind: int(rows[f"{kind}_{basis}"].sum()) for kind in CLASSES}
    none = [kind for kind, total in totals.items() if total == 0]
    if none:
        axes.annotate(
            f"no head is {' or '.join(none)}", (0.99, 0.97), xycoords="axes fraction", ha="right", va="top", fontsize=9,
        )  # fmt: skip


def check(table: pd.DataFrame, limits: pd.DataFrame, path: Path) -> None:
    """Raises ArtefactError unless counts sum to the heads, intervals hold their means and no limit is exceeded."""
    identities = {}
    for basis in ("posted", "reachable"):
        sums = table[[f"{kind}_{basis}" for kind in CLASSES]].sum(axis=1)
        identities[f"{basis} classes sum to the heads"] = (sums == table["heads"]).all()
    for name in STATISTICS:
        inside = table[name].between(table[f"{name}_low"] - 1e-9, table[f"{name}_high"] + 1e-9)
        identities[f"interval of {name} holds its mean"] = inside.all()
    for protocol in PROTOCOLS:
        rows = table[table["protocol"] == protocol]
        once = not rows.empty and sorted(rows["layer"]) == list(range(len(rows)))
        identities[f"{protocol}: every layer stands once"] = once and protocol in limits.index
        largest = limits["entropy_limit"].get(protocol, 0) * (1 + 1e-6)
        identities[f"{protocol}: entropy is at most the largest possible"] = (rows["entropy"] <= largest).all()
    tables.must_hold(path, identities)
