"""Users whose caches fit beside the weights into the memory of the most devices of the table, its size read in GB and
in GiB, over the context, with the post's two loads.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import plotting, posted_marks
from postproof.core import tables
from postproof.llama2.figures.axes import count_axis, label_tokens, of_reading, short
from postproof.llama2.looks import MODELS, READINGS
from postproof.published.kv_cache import GB

TABLES = ("llama2/serving_budget", "llama2/serving_loads", "llama2/posted_serving_loads")
OWN = "llama2_70b"  # whose caches the post has for its loads


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table, loads = read(*args.tables[:2])
    posted = tables.read(args.tables[2], TABLES[2])
    devices = int(table["devices"].max())
    rows = table[table["devices"] == devices]
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 5.6))
    ends = draw(axes, rows)
    draw_posted(axes, posted[posted["model"] == OWN])
    label_tokens(axes, table["context"])
    count_axis(axes, max(rows["users"].max(), loads["users"].max()))
    axes.set(xlabel="context (tokens of each user, log)", ylabel="users at once (log; 0: not even one)")
    size = device_memory(table)
    plotting.headed(
        figure,
        says(rows, loads),
        f"Users whose KV caches fit beside the weights, both at 16 bits, nothing else counted, on {devices} "
        f"device{'s' * (devices > 1)} of {size:g} GB (dashed) or {size:g} GiB (solid). Crosses: the post's loads, with "
        f"its sizes of the 70B's cache{counted(loads, posted)}; below a line a load fits.{too_large(rows)}",
        plotting.source(TABLES, "Public configurations, counted; no seeds. Crosses: the post's text."),
    )
    plotting.name_ends(axes, ends)
    plotting.save(figure, args.out_svg, args.out_png)


def says(rows: pd.DataFrame, loads: pd.DataFrame) -> str:
    """How many users the 70B serves at the context of the smallest load, by both readings."""
    context = loads.sort_values("users")["context"].iloc[0]
    at = rows[rows["context"] == context].set_index(["model", "reading"])["users"]
    devices = int(rows["devices"].iloc[0])
    where = f"{devices} device{'s' * (devices > 1)}"
    if not {("llama2_70b", "GB"), ("llama2_70b_mha", "GB")} <= set(at.index):
        return f"At {context:,} tokens {where} serve{'s' * (devices == 1)} {at.max():,} users at most"
    served = {model: at[model, "GB"] for model in ("llama2_70b", "llama2_70b_mha")}
    upper = {model: at[model, "GiB"] for model in served}
    texts = {model: f"{served[model]:,} to {upper[model]:,}" if upper[model] > served[model] else f"{served[model]:,}"
             for model in served}  # fmt: skip
    posted = loads["users"].min()
    fits = "within" if posted <= served[OWN] else "within by GiB alone" if posted <= upper[OWN] else "beyond"
    return (
        f"Beside its weights Llama 2 70B serves {texts[OWN]} users of {context:,} tokens on {where}, the post's "
        f"{posted:,} {fits}; as MHA it would be {texts['llama2_70b_mha']}"
    )


def counted(loads: pd.DataFrame, posted: pd.DataFrame) -> str:
    """The same caches as we count them, in the post's order."""
    both = posted[posted["model"] == OWN].merge(loads, on=["model", "users", "context"])
    sizes = [f"{size / GB:.1f}" for size in both["cache_bytes"]]
    return f" (counted: {' and '.join(sizes)} GB)" if sizes else ""


def too_large(rows: pd.DataFrame) -> str:
    """The models whose weights alone do not fit, by either reading."""
    never = rows.groupby("model")["outcome"].agg(lambda outcomes: (outcomes == "weights_do_not_fit").all())
    names = [f"{MODELS[model].short} ({rows.loc[rows['model'] == model, 'weight_bytes'].iloc[0] / GB:.0f} GB)"
             for model in MODELS if never.get(model, False)]  # fmt: skip
    return f" Weights alone do not fit: {', '.join(names)}." if names else ""


def device_memory(table: pd.DataFrame) -> float:
    """Of one device, the number of what a reading calls a GB."""
    one = table[table["reading"] == "GB"].iloc[0]
    return one["memory_bytes"] / one["devices"] / GB


def read(path: Path, loads_path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of llama2.serving_budget.

    Raises ArtefactError when one is not of its schema, a reading is missing, or an identity does not hold.
    """
    table, loads = tables.read_all([path, loads_path], TABLES[:2])
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


def draw(axes: Axes, table: pd.DataFrame) -> list[tuple[float, float, str, str]]:
    """Lines of the models whose weights fit, between the two readings an area. Returns where they end, and names."""
    ends = []
    for model, variant in MODELS.items():
        rows = table[table["model"] == model]
        if rows.empty or (rows["outcome"] == "weights_do_not_fit").all():
            continue
        wide = rows.pivot(index="context", columns="reading", values="users")
        axes.fill_between(wide.index, wide["GB"], wide["GiB"], color=variant.colour, alpha=0.15, linewidth=0)
        for reading, width in (("GB", 1.0), ("GiB", 1.8)):
            axes.plot(wide.index, wide[reading], color=variant.colour, linewidth=width, **of_reading(reading))
        ends.append((wide.index[-1] * 1.15, wide["GiB"].iloc[-1], variant.short, variant.colour))
    return ends


def draw_posted(axes: Axes, posted: pd.DataFrame) -> None:
    for index, row in enumerate(posted.sort_values(["users", "context"]).itertuples()):
        # Lines fall to the right: the smallest load has room at its left, larger ones above.
        offset, side = ((-10, 0), "right") if index == 0 else ((10, 9), "left")
        posted_marks.mark(axes, [row.context], [row.users])
        text = f"{row.users:,} users, {short(row.context)}:\n{row.cache_gb:g} GB"
        posted_marks.beside(axes, text, row.context, row.users, offset, ha=side, weight="bold", on_colours=True)
