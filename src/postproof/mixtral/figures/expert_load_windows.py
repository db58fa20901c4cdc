"""Load of each expert over windows of the served validation text, busiest share and entropy by layer, against what an
even router would show in windows of this size; the smallest seed.

Both arms start from the same weights and serve the same text.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from scipy import special

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/expert_load", "mixtral/expert_load_windows")
ARMS = ("no_aux", "with_aux")
RUN = ["arm", "seed", "window", "layer"]
LOADS = "viridis"  # lightness rises throughout, so it reads in grey too


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    load_file, windows_file = args.tables
    loads, windows = tables.read_all(args.tables, TABLES)
    check(loads, windows, load_file, windows_file)
    seed = min(loads["seed"])
    loads, windows = (table[(table["seed"] == seed) & table["arm"].isin(ARMS)] for table in (loads, windows))
    if set(loads["arm"]) != set(ARMS):
        raise ArtefactError("table lacks an arm", file=load_file, seed=seed, needed=", ".join(ARMS))

    layers, experts = sorted(set(loads["layer"])), loads["expert"].nunique()
    pairs = loads.groupby(RUN)["tokens"].sum().iloc[0]
    plotting.style()
    figure, panels = plt.subplots(
        len(layers), 4, figsize=(14, 0.9 + 2.5 * len(layers)), sharex=True, sharey="col", squeeze=False
    )
    for row, layer in zip(panels, layers):
        in_layer = {arm: loads[(loads["arm"] == arm) & (loads["layer"] == layer)] for arm in ARMS}
        for axes, arm in zip(row, ARMS):
            image = draw_loads(axes, in_layer[arm], loads["share"].max())
        draw_lines(row[2], windows[windows["layer"] == layer], "busiest_share", experts)
        draw_lines(row[3], windows[windows["layer"] == layer], "entropy_nats", experts)
        row[0].set_ylabel(f"layer {layer}\nexpert")
    titles = [f"load {LOOKS[arm].long}" for arm in ARMS] + ["busiest expert's share", "entropy of the loads (nats)"]
    for axes, title in zip(panels[0], titles):
        axes.set_title(title, fontsize=10)
    for axes in panels[-1]:
        axes.set_xlabel("window")
    bar = figure.colorbar(image, ax=panels[:, :2], location="bottom", shrink=0.6, aspect=40, pad=0.02)
    bar.set_label(f"share of the window's load; an even one is 1/{experts} = {1 / experts:.3f} (line)", fontsize=9)
    bar.ax.axvline(1 / experts, color=palette.WHITE, linewidth=2)
    # Below the lines, beside the colour bar.
    below = panels[-1, 2].legend(
        handles=legend_handles(), fontsize=9, loc="upper left", bbox_to_anchor=(0, -0.3), ncols=2
    )
    below.set_in_layout(False)
    figure.suptitle(
        f"Expert load over windows of {pairs:,} token-slot pairs of the validation text, trained models of seed {seed}",
        fontsize=11,
    )
    plotting.save(figure, args.out_svg, args.out_png)


def check(loads: pd.DataFrame, windows: pd.DataFrame, load_file: Path, windows_file: Path) -> None:
    """Raises ArtefactError unless every window has the same load and the second table follows from the first."""
    if loads.duplicated([*RUN, "expert"]).any():
        raise ArtefactError("an expert stands twice in a window and layer", file=load_file)
    counts = loads.pivot(index=RUN, columns="expert", values="tokens")
    shares = loads.pivot(index=RUN, columns="expert", values="share")
    of_windows = windows.set_index(RUN).reindex(counts.index)
    identities = {
        "every window and layer has the same load": counts.sum(axis=1).nunique() == 1,
        "share is tokens over the window's": np.allclose(shares, counts.div(counts.sum(axis=1), axis=0)),
        "both tables have the same windows": len(windows) == len(counts) and of_windows.notna().all(axis=None),
        "busiest_share is the largest share": np.allclose(of_windows["busiest_share"], shares.max(axis=1)),
        "entropy is that of the shares": np.allclose(of_windows["entropy_nats"], special.entr(shares).sum(axis=1)),
    }
    tables.must_hold(windows_file, identities)


def draw_loads(axes: Axes, loads: pd.DataFrame, largest: float):
    """Experts by windows, colour by share."""
    shares_EW = loads.pivot(index="expert", columns="window", values="share")
    edges = [np.arange(count + 1) - 0.5 for count in shares_EW.shape]
    image = axes.pcolormesh(*edges[::-1], shares_EW, vmin=0, vmax=largest, cmap=LOADS, edgecolors="face", linewidth=0.2)
    axes.set_yticks(shares_EW.index)
    axes.grid(visible=False)
    return image


def draw_lines(axes: Axes, windows: pd.DataFrame, measure: str, experts: int) -> None:
    """Both arms over the windows, the even router's expected level, and for the share where it is in 99 of 100."""
    for arm in ARMS:
        rows, look = windows[windows["arm"] == arm], LOOKS[arm]
        axes.plot(rows["window"], rows[measure], color=look.colour, marker=look.marker, markersize=3, linewidth=1.2)
    even = LOOKS["even"]
    axes.axhline(windows[f"uniform_{measure}"].iloc[0], color=even.colour, linestyle=even.line, linewidth=1.2)
    if measure == "busiest_share":
        # The busiest of E experts has 1/E at the least.
        axes.axhspan(
            1 / experts, windows["uniform_busiest_share_99"].iloc[0], color=palette.LIGHT_GREY, alpha=0.6, linewidth=0
        )


def legend_handles() -> list:
    lines = [
        plt.Line2D([], [], color=LOOKS[arm].colour, marker=LOOKS[arm].marker, markersize=4, label=LOOKS[arm].long)
        for arm in ARMS
    ]
    even = LOOKS["even"]
    lines.append(plt.Line2D([], [], color=even.colour, linestyle=even.line, label="even random router: expected"))
    return [*lines, Patch(color=palette.LIGHT_GREY, alpha=0.6, label="even random router: 99 of 100 windows")]
