"""Busiest expert's share of the choices over windows of the served validation text, by layer, against what an even
router would show in windows of this size; the smallest seed.

Both arms start from the same weights and serve the same text.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy import special

from postproof.charts import palette, plotting
from postproof.charts.plotting import percent
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/expert_load", "mixtral/expert_load_windows")
ARMS = ("no_aux", "with_aux")
RUN = ["arm", "seed", "window", "layer"]
MOST_PANELS = 4


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

    layers, experts = sorted(set(loads["layer"]))[:MOST_PANELS], loads["expert"].nunique()
    pairs = loads.groupby(RUN)["tokens"].sum().iloc[0]
    plotting.style()
    figure, panels = plt.subplots(
        len(layers), 1, figsize=(plotting.COLUMN, 1.8 + 1.7 * len(layers)), sharex=True, sharey=True, squeeze=False
    )
    for axes, layer in zip(panels[:, 0], layers):
        draw_lines(axes, windows[windows["layer"] == layer], experts)
        axes.set(ylabel=f"layer {layer}")
        axes.yaxis.set_major_formatter(lambda share, _: percent(share))
    panels[-1, 0].set(xlabel=f"window of {pairs:,} token-slot pairs")
    panels[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    plotting.headed(
        figure,
        says(windows),
        f"Busiest expert's share of a window's choices, trained models of seed {seed}. Dashed and grey: what "
        "an even random "
        "router would show, expected and in 99 of 100 windows.",
        plotting.source(TABLES, "Validation text."),
    )
    for axes, layer in zip(panels[:, 0], layers):  # now that the axes have their height
        name_arms(axes, windows[windows["layer"] == layer])
    plotting.save(figure, args.out_svg, args.out_png)


def says(windows: pd.DataFrame) -> str:
    """In how many windows the busiest expert is above what even routing would show; its largest share in each arm."""
    above = windows["busiest_share"] > windows["uniform_busiest_share_99"]
    most = windows.groupby("arm")["busiest_share"].max()
    shown = f"{percent(most['no_aux'])} without auxiliary loss, {percent(most['with_aux'])} with it"
    even = percent(windows["uniform_busiest_share"].iloc[0])
    if above.all():
        return (
            f"In every window and layer the load is less even than chance: up to {shown}; an even router shows {even}"
        )
    return (
        f"In {above.sum():,} of {len(above):,} windows the load is less even than chance: up to {shown}; even is {even}"
    )


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


def draw_lines(axes: Axes, windows: pd.DataFrame, experts: int) -> None:
    """Both arms over the windows, the even router's expected share, and where it is in 99 of 100 windows."""
    even = LOOKS["even"]
    axes.axhline(windows["uniform_busiest_share"].iloc[0], color=even.colour, linestyle=even.line, linewidth=1.2)
    # The busiest of E experts has 1/E at the least.
    high = windows["uniform_busiest_share_99"].iloc[0]
    axes.axhspan(1 / experts, high, color=palette.LIGHT_GREY, alpha=0.6, linewidth=0)
    for arm in ARMS:
        rows, look = windows[windows["arm"] == arm], LOOKS[arm]
        axes.plot(
            rows["window"], rows["busiest_share"], color=look.colour, marker=look.marker, markersize=3, linewidth=1.2
        )


def name_arms(axes: Axes, windows: pd.DataFrame) -> None:
    last = windows[windows["window"] == windows["window"].max()]
    ends = [(row.window, row.busiest_share, LOOKS[row.arm].short, LOOKS[row.arm].colour) for row in last.itertuples()]
    plotting.name_ends(axes, ends)
