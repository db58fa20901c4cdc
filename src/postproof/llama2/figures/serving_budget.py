"""Chart: users at each context that fit beside the weights into one and two 80 GB devices, with the posted loads."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from postproof import files, plotting
from postproof.errors import ArtefactError
from postproof.llama2.figures.architectures import MODELS, count_axis, label_tokens
from postproof.llama2.kv_cache import GB, READINGS

NUMBERS = ["devices", "context", "memory_bytes", "weight_bytes", "room_bytes", "user_bytes", "users"]
LOAD_NUMBERS = ["users", "context", "weight_bytes", "cache_bytes", "total_bytes"]
LOOKS = {"GB": {"linestyle": "--", "markerfacecolor": "white"}, "GiB": {"linestyle": "-"}}


def add_arguments(parser) -> None:
    plotting.add_figure_arguments(parser, "serving_budget", "serving_loads")


def main(args) -> None:
    budget_file, loads_file = args.tables
    table, loads = read(budget_file), read_loads(loads_file)
    counts = sorted(set(table["devices"]))
    plotting.style()
    figure, panels = plt.subplots(1, len(counts), figsize=(6.4 * len(counts), 5.8), sharey=True, squeeze=False)
    for axes, devices in zip(panels[0], counts):
        draw(axes, table[table["devices"] == devices], loads)
        each = table.loc[(table["devices"] == devices) & (table["reading"] == "GB"), "memory_bytes"].iloc[0] / GB
        plural = "s" * (devices > 1)
        axes.set_title(f"{devices} device{plural}: {each:g} GB or GiB in all", fontsize=10)
        axes.set_xlabel("context (tokens of each user)")
        count_axis(axes, table["users"].max())
    panels[0][0].set_ylabel("users at once (logarithmic; 0: not even one)")
    figure.suptitle("Users whose KV caches fit beside the weights, both at 16 bits (nothing else counted)", fontsize=12)
    legend(figure, table)
    plotting.save(figure, args.out_svg, args.out_png)


def read(path: Path) -> pd.DataFrame:
    """The table of llama2.serving_budget.

    Raises ArtefactError when a column, a reading or a number is missing, or an identity does not hold.
    """
    table = files.read_csv(path, ["model", "attention", "reading", "outcome"], NUMBERS)
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
    for identity, holds in identities.items():
        if not holds:
            raise ArtefactError("table breaks an identity", file=path, identity=identity)
    return table


def read_loads(path: Path) -> pd.DataFrame:
    """The table of loads. Raises ArtefactError as `read` does."""
    loads = files.read_csv(path, ["model", "attention"], LOAD_NUMBERS)
    if not (loads["weight_bytes"] + loads["cache_bytes"] == loads["total_bytes"]).all():
        raise ArtefactError("table breaks an identity", file=path, identity="a load is weights and cache")
    return loads


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
        for reading, look in LOOKS.items():
            of_reading = rows[rows["reading"] == reading].sort_values("context")
            axes.plot(of_reading["context"], of_reading["users"], color=variant.colour, marker=variant.marker,
                      markersize=5, linewidth=1.2, **look)  # fmt: skip
    for index, (users, context) in enumerate(sorted(set(zip(loads["users"], loads["context"])))):
        axes.plot(context, users, marker="*", markersize=15, color="#009E73", markeredgecolor="black", zorder=5)
        # Lines fall to the right: the smallest load has room at its left, larger ones above.
        offset, side = ((-11, 0), "right") if index == 0 else ((9, 8), "left")
        axes.annotate(f"{users} users, {context / 1024:g}K", (context, users), offset, textcoords="offset points",
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
    handles += [Line2D([], [], color="0.3", marker="o", label=f"a device has 80 {reading}", **look)
                for reading, look in LOOKS.items()]  # fmt: skip
    handles.append(Line2D([], [], marker="*", markersize=12, color="#009E73", markeredgecolor="black",
                          linestyle="none", label="a load of the post: below a line it fits"))  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9)
