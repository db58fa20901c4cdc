"""Bytes per token that would cross devices if the experts were split over 2, 4 or 8 of them, from the routing of the
validation text, for two ways of sending, against even routing; and how uneven the receivers are.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from postproof.charts import plotting
from postproof.charts.plotting import percent
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.mixtral.figures import rerun_marks
from postproof.mixtral.figures.rerun_marks import fixed
from postproof.mixtral.looks import LOOKS

TABLES = ("mixtral/dispatch_volume", "mixtral/dispatch_volume_uniform")
ARMS = ("no_aux", "with_aux")
WAYS = {"every_slot": "sent for every slot elsewhere", "once_per_device": "sent once per device needed"}
LEVELS = {"every_slot": LOOKS["even"], "once_per_device": LOOKS["even_once"]}
NAMES = {"mixtral_8x7b": "Mixtral 8x7B"}
KIB = 1024
RUN = ["arm", "seed", "devices", "way"]


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, uniform = tables.read_all(args.tables, TABLES)
    check(table, args.tables[0])
    table = table[(table["layer"] == "all") & table["arm"].isin(ARMS)]
    plotting.style()
    figure, ((each, once), (busiest, published)) = plt.subplots(2, 2, figsize=(plotting.COLUMN, 7.4))
    for axes, way in [(each, "every_slot"), (once, "once_per_device")]:
        rows = table[table["way"] == way]
        draw_runs(axes, rows.assign(kib=rows["bytes_per_token"] / KIB), "kib")
        draw_uniform(axes, uniform[uniform["model"] == "posted"], way)
        axes.set_title(WAYS[way], fontsize=9)
        axes.set(ylabel="KiB per token", ylim=(0, 1.1 * table["bytes_per_token"].max() / KIB))
    draw_runs(busiest, table[table["way"] == "every_slot"], "busiest_device_ratio")
    busiest.axhline(1, color=LOOKS["even"].colour, linewidth=1)
    busiest.set_title("what the busiest device receives", fontsize=9)
    busiest.set(ylabel="times the mean device", ylim=(0.95, None))
    draw_published(published, uniform[uniform["model"] != "posted"])
    for axes in (each, once, busiest, published):
        axes.set_xlabel("devices")
        axes.grid(axis="x", visible=False)
    legend(busiest)
    plotting.headed(
        figure,
        says(table),
        "Hidden states sent between devices in a forward pass, there and back, all layers, over the validation text; "
        "experts in equal blocks, sequences dealt round-robin. Marks: seeds; dashed, dotted: even random routing.",
        plotting.source(TABLES, f"{rerun_marks.of_seeds(table['seed'].nunique())} of the post's model."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(table: pd.DataFrame) -> str:
    """How far the bytes are from even routing at most, and how much the busiest device receives."""
    off = (table["bytes_per_token"] / table["uniform_bytes_per_token"] - 1).abs().max()
    most = table[table["devices"] == table["devices"].max()]
    busiest = most.groupby("arm")["busiest_device_ratio"].mean()
    return (
        f"Uneven routing changes the bytes sent by {percent(off, 1)} at most, but of "
        f"{most['devices'].iloc[0]} devices the "
        f"busiest receives {fixed(busiest['no_aux'], 1)} times the mean; with auxiliary loss "
        f"{fixed(busiest['with_aux'], 1)}"
    )


def check(table: pd.DataFrame, path: Path) -> None:
    """Raises ArtefactError unless shares and bytes follow from the counts, and the layers sum to all of them."""
    layers, every = (table[keep].set_index(RUN) for keep in (table["layer"] != "all", table["layer"] == "all"))
    sums = layers.groupby(level=RUN)[["pairs", "crossing", "bytes"]].sum()
    each = table[table["way"] == "every_slot"]
    identities = {
        "layers sum to all": every.index.is_unique and sums.equals(every[sums.columns].sort_index()),
        "share is crossing over pairs": np.allclose(table["crossing_share"], table["crossing"] / table["pairs"]),
        "bytes per token are bytes over tokens": np.allclose(
            table["bytes_per_token"] * table["tokens"], table["bytes"]
        ),
        "even routing sends 1 - 1/D of the slots": np.allclose(each["uniform_crossing_share"], 1 - 1 / each["devices"]),
    }
    tables.must_hold(path, identities)
    if missing := set(ARMS) - set(table["arm"]):
        raise ArtefactError("table lacks an arm", file=path, needed=", ".join(sorted(missing)))


def positions(devices: pd.Series) -> np.ndarray:
    """Doublings are equally far apart."""
    return np.log2(devices.to_numpy())


def draw_runs(axes: Axes, rows: pd.DataFrame, column: str) -> None:
    """A point per seed, the arms side by side."""
    for arm, side in zip(ARMS, (-1, 1)):
        runs, look = rows[rows["arm"] == arm], LOOKS[arm]
        rank = runs.groupby("devices")["seed"].rank().to_numpy()  # seeds apart, so that equal values show
        x = positions(runs["devices"]) + side * (0.06 + 0.03 * rank)
        axes.plot(x, runs[column], color=look.colour, marker=look.marker, markersize=5, linestyle="none")
    label_devices(axes, rows["devices"])


def draw_uniform(axes: Axes, rows: pd.DataFrame, way: str) -> None:
    """The level of even routing, behind the points of each number of devices."""
    of_way = rows[rows["way"] == way]
    x = positions(of_way["devices"])
    look = LEVELS[way]
    axes.hlines(of_way["bytes_per_token"] / KIB, x - 0.3, x + 0.3, color=look.colour, linestyle=look.line, zorder=1)


def draw_published(axes: Axes, rows: pd.DataFrame) -> None:
    """The published model under even routing, both ways, with the numbers at the points."""
    for way, of_way in rows.groupby("way"):
        look = LEVELS[way]
        axes.plot(positions(of_way["devices"]), of_way["bytes_per_token"] / KIB, color=look.colour, linestyle=look.line)
    for row in rows.itertuples():
        up = row.way == "every_slot"
        at = (np.log2(row.devices), row.bytes_per_token / KIB)
        same = rows[(rows["devices"] == row.devices) & (rows["bytes_per_token"] == row.bytes_per_token)]
        if len(same) > 1 and not up:
            continue  # one number is enough where the ways are one point
        axes.plot(*at, color=LEVELS[row.way].colour, marker="o", markersize=4)
        axes.annotate(
            f"{at[1]:,.0f}",
            at,
            (0, 6 if up else -6),
            textcoords="offset points",
            ha="center",
            va="bottom" if up else "top",
            fontsize=9,
        )
    label_devices(axes, rows["devices"])
    axes.yaxis.set_major_formatter("{x:,.0f}")
    first = rows.iloc[0]
    axes.set_title(f"{NAMES.get(first['model'], first['model'])}, if routing is even", fontsize=9)
    axes.set(ylabel="KiB per token", ylim=(0, 1.15 * rows["bytes_per_token"].max() / KIB))


def label_devices(axes: Axes, devices: pd.Series) -> None:
    numbers = np.unique(devices)
    axes.set_xticks(np.log2(numbers), numbers)
    axes.set_xlim(np.log2(numbers[0]) - 0.4, np.log2(numbers[-1]) + 0.4)


def legend(axes: Axes) -> None:
    looks = [LOOKS[arm] for arm in ARMS]
    style = {"linestyle": "none"}
    handles = [Line2D([], [], color=look.colour, marker=look.marker, label=look.long, **style) for look in looks]
    axes.legend(handles=handles, fontsize=plotting.SMALL_POINTS, loc="upper left")
