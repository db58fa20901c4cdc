"""Measured: time of a decode step against the number of KV heads, beside the bytes that it reads.

A row per machine; a panel per batch and context: that whose cache is the largest part of the bytes, and that where it
is the smallest. All is relative to as many KV heads as query heads. Where steps were timed as a CUDA graph, those are
drawn. With K and V repeated to all heads at each step the time is told, not drawn: it would flatten the rest.
Crosses, where the cache is largest: the post, by which a step of the 70B shrinks as its KV heads do.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from postproof.charts import on_machines, plotting, posted_marks
from postproof.charts.on_machines import Measured
from postproof.charts.palette import POSTED
from postproof.charts.plotting import percent
from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.llama2 import looks

TABLES = ("llama2/posted_decode_bytes",)
MEASURED = ("decode_speed",)
# As measuring/decode_speed.py names them.
ATTENTIONS = {
    "folded": looks.LOOKS["folded"],
    "gqa": looks.LOOKS["fused"],
    "expanded": looks.LOOKS["expanded"],
}
ALL_HEADS = "gqa"  # under which as many KV heads as query heads are stored: there the three are one
BYTES = looks.LOOKS["read_bytes"]
# Short enough for half a column.
NAMES = {"folded": "time, K and V read once", "gqa": "time, enable_gqa=True"}
DRAWN = list(NAMES)
LABELS = ["attention", "launch", "dtype"]
SIZES = ["heads", "head_dim", "ffn", "layers"]
SECONDS = ["median_seconds", "p25_seconds", "p75_seconds"]
NUMBERS = ["kv_heads", "batch", "context", *SIZES, "weight_bytes", "cache_bytes", "read_bytes", *SECONDS]
SETTING = ["batch", "context"]
RATIOS = ["ratio", "low", "high"]
SHOWN = 2


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES, MEASURED)


def main(args) -> None:
    times_fewer = tables.read(args.tables[0], *TABLES)["mha_step_ratio"].iloc[0]
    machines = on_machines.read_all(args.measured, LABELS, NUMBERS)
    panels = [(machine, of_machine) for machine in machines if len(of_machine := relative(machine))]
    if not panels:
        raise ArtefactError("no machine has a step with as many KV heads as heads", remedy=on_machines.REMEDY)
    columns = SHOWN if len(panels) <= SHOWN else 1
    plotting.style()
    figure, grid = plt.subplots(len(panels), columns, figsize=(plotting.COLUMN, 2.4 + 2.9 * len(panels)), sharey=True,
                                squeeze=False)  # fmt: skip
    highest = max(of_machine.loc[of_machine["attention"].isin(DRAWN), "high"].max() for _, of_machine in panels)
    for (machine, of_machine), row in zip(panels, grid):
        settings, by_setting = shown(of_machine, columns), dict(iter(of_machine.groupby(SETTING)))
        for axes, setting in zip(row, settings):
            draw(axes, by_setting[setting], named(machine))
            axes.set_ylim(0, max(1, highest) * 1.08)
        for axes in row[len(settings) :]:
            axes.set_axis_off()
        posted_marks.mark(row[0], [of_machine["heads"].iloc[0] / times_fewer], [1 / times_fewer])
        row[0].set_ylabel("relative to all heads")
    for axes in grid[-1]:
        axes.set_xlabel(f"KV heads (log), of {panels[-1][1].iloc[0]['heads']:.0f} query heads")
    last = grid[0][min(columns, len(shown(panels[0][1], columns))) - 1]
    last.legend(handles=legend(), fontsize=plotting.SMALL_POINTS, loc="lower right", handlelength=1.6)
    models = "; ".join(dict.fromkeys(describe(of_machine.iloc[0]) for _, of_machine in panels))
    plotting.headed(
        figure,
        says(panels, times_fewer),
        f"Time of a decode step (medians, bars: quartiles) and the bytes it reads, both relative to as many KV heads "
        f"as query heads. {models}.{repeated(panels)}",
        f"Measured: {'; '.join(machine.heading(200) for machine, _ in panels)}. Source: data/measured/{MEASURED[0]}, "
        f"{tables.path_of(TABLES[0])}.",
    )
    plotting.save(figure, args.out_svg, args.out_png)


def named(machine: Measured) -> str:
    return f"{machine.device_name}, {machine.threads} thread{'s' * (machine.threads > 1)}"


def says(panels: list[tuple[Measured, pd.DataFrame]], times_fewer: float) -> str:
    """Of the steps whose cache is the largest part: what the fewest KV heads make of the time and of the bytes, and
    what so many times fewer do, which the post has take as many times less.
    """
    fewest, as_posted = [], []
    for _, rows in panels:
        batch, context = shown(rows, 1)[0]
        of_setting = rows[(rows["batch"] == batch) & (rows["context"] == context)]
        fewest.append(of_setting[of_setting["kv_heads"] == of_setting["kv_heads"].min()])
        as_posted.append(of_setting[of_setting["kv_heads"] * times_fewer == of_setting["heads"]])
    return of_fewest(pd.concat(fewest)) + of_posted(pd.concat(as_posted), times_fewer)


def of_posted(rows: pd.DataFrame, times_fewer: float) -> str:
    times = rows.loc[rows["attention"].isin(DRAWN), "ratio"]
    if times.empty:
        return ""
    heads = int(rows["kv_heads"].iloc[0])
    return f"; with {heads} it takes {span(times)}, in the post {percent(1 / times_fewer, 1)}"


def span(times: pd.Series) -> str:
    least, longest = f"{100 * times.min():.0f}", percent(times.max())
    return longest if longest.startswith(f"{least} ") else f"{least} to {longest}"


def of_fewest(rows: pd.DataFrame) -> str:
    heads, most = int(rows["kv_heads"].min()), rows["read_bytes"].max()
    times = rows.loc[rows["attention"].isin(DRAWN), "ratio"]
    with_heads = f"With {heads} KV head{'s' * (heads > 1)} a step with a large cache"
    if times.empty:
        return f"{with_heads} reads {percent(most)} of the bytes that it reads with all heads"
    close = "more than" if times.min() > 1.02 * most else "about as much as" if times.max() < 1.02 * most else "beside"
    return f"{with_heads} takes {span(times)} of the time with all heads, {close} the {percent(most)} of the bytes"


def repeated(panels: list[tuple[Measured, pd.DataFrame]]) -> str:
    """What is not drawn, as it would flatten the rest."""
    rows = pd.concat([of_machine for _, of_machine in panels])
    ratios = rows.loc[(rows["attention"] == "expanded") & (rows["kv_heads"] < rows["heads"]), "ratio"]
    if ratios.empty:
        return ""
    times = f"{ratios.min():.1f} to {ratios.max():.1f}"
    return f" Not drawn: K and V repeated to all heads at each step, which takes {times} times as long as all heads."


def relative(machine: Measured) -> pd.DataFrame:
    """Rows with median and quartiles as ratio, low and high to the step with all heads; bytes as ratios too.

    New columns: `cache_share` of the bytes read with all heads, `all_heads_seconds`. Raises ArtefactError when a way is
    unknown or a row stands twice, bytes do not add up, or quartiles are out of order.
    """
    table = machine.table
    seconds = table[["p25_seconds", "median_seconds", "p75_seconds"]]
    itemsize = table["dtype"].map({"bfloat16": 2, "float32": 4})
    numbers = 2 * table[["layers", "batch", "context", "kv_heads", "head_dim"]].prod(axis=1)
    machine.must_hold(
        {
            "ways to attend are known": set(table["attention"]) <= set(ATTENTIONS),
            "each step stands once": not table.duplicated(["attention", "launch", "kv_heads", *SETTING]).any(),
            "lower quartile <= median <= upper quartile": (seconds.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None),
            "a cache holds K and V of each layer, token and KV head": (
                table["cache_bytes"] == numbers * itemsize
            ).all(),
            "a step reads weights and cache": (
                table["weight_bytes"] + table["cache_bytes"] == table["read_bytes"]
            ).all(),
            "all steps are of one model": not table[[*SIZES, "dtype"]].drop_duplicates().iloc[1:].size,
        }
    )
    rows = table[table["launch"] == ("graph" if "graph" in set(table["launch"]) else "python")]
    all_heads = rows[(rows["attention"] == ALL_HEADS) & (rows["kv_heads"] == rows["heads"])].set_index(SETTING)
    of_setting = all_heads.reindex(pd.MultiIndex.from_frame(rows[SETTING]))
    base_seconds = of_setting["median_seconds"].to_numpy()
    rows = rows.assign(
        **{name: rows[column] / base_seconds for name, column in zip(RATIOS, SECONDS)},
        **{name: rows[name] / of_setting[name].to_numpy() for name in ("read_bytes", "cache_bytes")},
        cache_share=(of_setting["cache_bytes"] / of_setting["read_bytes"]).to_numpy(),
        all_heads_seconds=base_seconds,
    )
    return rows.dropna(subset=RATIOS)


def shown(rows: pd.DataFrame, most: int = SHOWN) -> list[tuple[int, int]]:
    """Batches and contexts in falling share of the cache, at most `most` of them: the ends, and evenly between."""
    by_share = rows.drop_duplicates(SETTING).sort_values(["cache_share", *SETTING], ascending=False)
    chosen = np.unique(np.linspace(0, len(by_share) - 1, most).round().astype(int))
    return list(by_share.iloc[chosen][SETTING].itertuples(index=False, name=None))


def describe(row: pd.Series) -> str:
    layers = f"{row['layers']:.0f} layer{'' if row['layers'] == 1 else 's'}"
    model = f"{layers} of width {row['heads'] * row['head_dim']:,.0f}, {row['heads']:.0f} query heads, {row['dtype']}"
    return f"{model}, {'as a CUDA graph' if row['launch'] == 'graph' else 'launched from Python'}"


def draw(axes: Axes, rows: pd.DataFrame, where: str) -> None:
    """KV heads from one to all; every line ends at the step with all heads, 1."""
    first = rows.iloc[0]
    heads = first["heads"]
    by_heads = rows.drop_duplicates("kv_heads").sort_values("kv_heads")
    axes.plot(by_heads["kv_heads"], by_heads["read_bytes"], color=BYTES.colour, linestyle=BYTES.line, linewidth=1.5)
    for name, way in looked_at():
        of_way = (rows["attention"] == name) | ((rows["attention"] == ALL_HEADS) & (rows["kv_heads"] == heads))
        times = rows[of_way].sort_values("kv_heads")
        if len(times) > 1:
            axes.errorbar(
                times["kv_heads"],
                times["ratio"],
                yerr=[times["ratio"] - times["low"], times["high"] - times["ratio"]],
                color=way.colour,
                marker=way.marker,
                markersize=6,
                linewidth=1.5,
                elinewidth=1,
                capsize=2,
            )
    counts = sorted(set(rows["kv_heads"]))
    axes.set_xscale("log", base=2)
    axes.set_xlim(counts[0] / 1.3, heads * 1.3)
    axes.set_xticks(counts, [f"{count:.0f}" for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_title(
        f"{where}\nbatch {first['batch']:.0f}, context {first['context']:,.0f}: "
        f"cache {percent(first['cache_share'])} of the bytes",
        fontsize=8.5,
        loc="left",
    )


def looked_at() -> list[tuple[str, looks.Look]]:
    return [(name, ATTENTIONS[name]) for name in DRAWN]


def legend() -> list[Line2D]:
    handles = [Line2D([], [], color=way.colour, marker=way.marker, label=NAMES[name])
               for name, way in looked_at()]  # fmt: skip
    return [*handles, Line2D([], [], color=BYTES.colour, linestyle=BYTES.line, label="bytes read"),
            posted_marks.handle(f"{POSTED.long}, of the 70B")]  # fmt: skip
