"""Users whose caches fit beside the weights into the memory of one and of two devices, its size read in GB and in GiB,
over the context, with the post's two loads.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.llama2.figures.axes import count_axis, label_tokens, of_reading, short
from postproof.llama2.looks import LOOKS, MODELS, READINGS
from postproof.published.kv_cache import GB

TABLES = ("llama2/serving_budget", "llama2/serving_loads")


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, loads = read(*args.tables)
    counts = sorted(set(table["devices"]))
    plotting.style()
    figure, panels = plt.subplots(1, len(counts), figsize=(6.4 * len(counts), 5.8), sharey=True, squeeze=False)
    for axes, devices in zip(panels[0], counts):
        draw(axes, table[table["devices"] == devices], loads)
        plural = "s" * (devices > 1)
        axes.set_title(f"{devices} device{plural}: {devices * device_memory(table):g} GB or GiB in all", fontsize=10)
        axes.set_xlabel("context (tokens of each user)")
        count_axis(axes, table["users"].max())
    panels[0][0].set_ylabel("users at once (logarithmic; 0: not even one)")
    figure.suptitle("Users whose KV caches fit beside the weights, both at 16 bits (nothing else counted)", fontsize=12)
    legend(figure, table)
    plotting.save(figure, args.out_svg, args.out_png)


def device_memory(table: pd.DataFrame) -> float:
    """Of one device, the number of what a reading calls a GB."""
    one = table[table["reading"] == "GB"].iloc[0]
    return one["memory_bytes"] / one["devices"] / GB


def read(path: Path, loads_path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of llama2.serving_budget.

    Raises ArtefactError when one is not of its schema, a reading is missing, or an identity does not hold.
    """
    table, loads = tables.read_all([path, loads_path], TABLES)
    free = table["memory_bytes"] - table["weight_bytes"]
    users, each = table["users"], table["user_bytes"]
    outcome = np.select([users > 0, free >= 0], ["fits", "no_user_fits"], "weights_do_not_fit")
    identities = {
        "models are known": set(table["model"]) <= MODELS.keys(),
        "both readings are there": set(table["reading"]) == set(READINGS),
        "room is what the weights leave": (table["room_bytes"] == free.clip(lower=0)).all(),
        "the users fit and one more does not": (
            (users * each <= table["room_bytes"]) & ((users + 1) * each > table["room_bytes"])
        ).all(),
        "the outcome says why": (table["outcome"] == outcome).all(),
        "each stands once": not table.duplicated(["model", "devices", "reading", "context"]).any(),
    }
    tables.must_hold(path, identities)
    sums = loads["weight_bytes"] + loads["cache_bytes"]
    tables.must_hold(loads_path, {"a load is weights and cache": (sums == loads["total_bytes"]).all()})
    return table, loads


def draw(axes: Axes, table: pd.DataFrame, loads: pd.DataFrame) -> None:
    """Lines of the models whose weights fit, the two readings apart, a list of the others, and the loads as stars."""
    too_large = []
    for model, variant in MODELS.items():
        rows = table[table["model"] == model]
        if rows.empty:
            continue
        if (rows["outcome"] == "weights_do_not_fit").all():
            too_large.append(f"{variant.short} ({rows['weight_bytes'].iloc[0] / GB:.1f} GB)")
            continue
        for reading in READINGS:
            line = rows[rows["reading"] == reading].sort_values("context")
            axes.plot(line["context"], line["users"], color=variant.colour, marker=variant.marker,
                      markersize=5, linewidth=1.2, **of_reading(reading))  # fmt: skip
    for index, (users, context) in enumerate(sorted(set(zip(loads["users"], loads["context"])))):
        axes.plot(context, users, markersize=15, zorder=5, **of_load())
        # Lines fall to the right: the smallest load has room at its left, larger ones above.
        offset, side = ((-11, 0), "right") if index == 0 else ((9, 8), "left")
        axes.annotate(f"{users} users, {short(context)}", (context, users), offset, textcoords="offset points",
                      ha=side, va="center", fontsize=9)  # fmt: skip
    if too_large:
        axes.text(0.03, 0.97, "weights alone do not fit:\n" + "\n".join(too_large), transform=axes.transAxes,
                  va="top", fontsize=9)  # fmt: skip
    label_tokens(axes, table["context"])


def legend(figure, table: pd.DataFrame) -> None:
    handles = []
    for model, variant in MODELS.items():
        rows = table[table["model"] == model]
        if not rows.empty:
            weights = rows["weight_bytes"].iloc[0] / GB
            handles.append(Line2D([], [], color=variant.colour, marker=variant.marker,
                                  label=f"{variant.long}, weights {weights:.1f} GB"))  # fmt: skip
    size = device_memory(table)
    handles += [Line2D([], [], color=look.colour, marker=look.marker, label=f"a device has {size:g} {name}",
                       **of_reading(name)) for name, look in READINGS.items()]  # fmt: skip
    handles.append(Line2D([], [], markersize=12, linestyle="none", label=LOOKS["load"].long, **of_load()))
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9)


def of_load() -> dict:
    return {"marker": LOOKS["load"].marker, "color": LOOKS["load"].colour, "markeredgecolor": palette.BLACK}
