"""Peak memory of one attention layer over the sequence, by the CUDA caching allocator's rules.
What is held at the peak, fits of second degree, one score matrix by formula, and scaled_dot_product_attention beside
it; measured points where a machine has them.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from postproof.attention.looks import ATTENTIONS, LOOKS, PARTS
from postproof.charts import on_machines, palette, plotting
from postproof.charts.on_machines import Measured
from postproof.core import files, tables

TABLES = ("attention/score_memory", "attention/score_memory_fit")
MEASURED = ("score_memory",)
MEASURED_NUMBERS = ["sequence", "d_model", "heads", "batch", "scores_formula_bytes", "peak_bytes"]
MB, GB = 10**6, 10**9
BAR_WIDTH_SHARE = 0.026  # of the posted range, so that the bars of its two shortest lengths stand apart


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES, MEASURED)


def main(args) -> None:
    table, fits = tables.read_all(args.tables, TABLES)
    check(table, fits, *args.tables)
    machines = on_machines.read_all(filter(has_bytes, args.measured), ["attention"], MEASURED_NUMBERS)
    for machine in machines:
        check_measured(machine, table)
    plotting.style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(14.5, 6.6), width_ratios=[1.15, 1])
    draw_split(left, table, fits, machines)
    draw_growth(right, table, fits, machines)
    first = table.iloc[0]
    figure.suptitle(
        f"Peak memory of one attention layer: d_model {first['d_model']}, {first['heads']} heads, "
        f"batch {first['batch']}, float32, training mode, no gradient"
    )
    note = "not measured: no table from a CUDA device is at hand"
    if machines:
        note = "\n".join(["large open marks: measured", *(machine.heading(150) for machine in machines)])
    figure.supxlabel(f"Modelled: CUDA caching allocator's rules, without cuBLAS's workspace ({note})", fontsize=9)
    plotting.save(figure, args.out_svg, args.out_png)


def draw_split(axes: Axes, table: pd.DataFrame, fits: pd.DataFrame, machines: list[Measured]) -> None:
    """Bars by part for both plain variants at each fitted length, and the polynomials of second degree."""
    longest = fits["fit_longest_tokens"].max()
    rows = table[table["sequence"] <= longest]
    width = BAR_WIDTH_SHARE * longest
    handles = {}
    for side, attention in ((-1, "plain"), (1, "plain_all_kept")):
        look = ATTENTIONS[attention]
        parts = rows[rows["attention"] == attention].pivot(index="sequence", columns="part", values="part_bytes") / MB
        base = 0 * parts["parameters"]
        for part, of_part in PARTS.items():
            handles[of_part.long] = axes.bar(
                parts.index + side * width / 2, parts[part], width, bottom=base, color=of_part.colour,
                hatch=of_part.hatch, edgecolor=palette.BLACK, linewidth=0.3,
            )  # fmt: skip
            base = base + parts[part]
        fit = fits[(fits["attention"] == attention) & (fits["degree"] == 2)].iloc[0]
        n = np.linspace(rows["sequence"].min(), longest, 200)
        label = f"{look.short}: fit of second degree, {fit['score_matrices']:.2f} score matrices × n²"
        (handles[label],) = axes.plot(n, polynomial(fit, n) / MB, color=look.colour, linestyle=look.line, linewidth=1.8)
        for machine in machines:
            found = machine.table[(machine.table["attention"] == attention) & (machine.table["sequence"] <= longest)]
            axes.plot(found["sequence"] + side * width / 2, found["peak_bytes"] / MB, linestyle="none",
                      marker=look.marker, markersize=10, markerfacecolor="none", color=look.colour)  # fmt: skip
        top = base[longest]
        axes.annotate(f"{look.short}: {top:.0f} MB", (longest + side * width, top), (0, 9), ha="right",
                      textcoords="offset points", fontsize=9, color=look.colour)  # fmt: skip
    formula, look = rows.drop_duplicates("sequence"), LOOKS["formula"]
    square = formula["scores_formula_bytes"].iloc[-1] / MB * (n / longest) ** 2
    axes.plot(n, square, color=look.colour, linestyle=look.line)
    (handles[look.long],) = axes.plot(
        formula["sequence"],
        formula["scores_formula_bytes"] / MB,
        color=look.colour,
        linestyle="none",
        marker=look.marker,
    )
    axes.set_xticks(formula["sequence"], [f"{n}" for n in formula["sequence"]], rotation=45)
    axes.grid(axis="x", visible=False)
    axes.set_axisbelow(True)
    axes.set(xlabel="sequence n (tokens)", ylabel="peak (MB)", ylim=(0, 1.18 * rows["peak_bytes"].max() / MB))
    axes.legend(handles.values(), handles.keys(), loc="upper left", fontsize=9)
    axes.set_title(f"up to {longest:,} tokens: what is held at the peak", fontsize=10)


def draw_growth(axes: Axes, table: pd.DataFrame, fits: pd.DataFrame, machines: list[Measured]) -> None:
    totals = table.drop_duplicates(["attention", "sequence"])
    for attention, look in ATTENTIONS.items():
        rows = totals[totals["attention"] == attention]
        degree = 1 if attention == "sdpa" else 2
        fit = fits[(fits["attention"] == attention) & (fits["degree"] == degree)].iloc[0]
        n = np.geomspace(rows["sequence"].min(), rows["sequence"].max(), 200)
        axes.plot(n, polynomial(fit, n) / GB, color=look.colour, linestyle=look.line, linewidth=1)
        axes.plot(rows["sequence"], rows["peak_bytes"] / GB, color=look.colour, marker=look.marker, linestyle="none",
                  label=look.long)  # fmt: skip
        last = rows.iloc[-1]
        size = f"{last['peak_bytes'] / GB:,.2g}" if last["peak_bytes"] < 10 * GB else f"{last['peak_bytes'] / GB:,.0f}"
        up = {"plain_all_kept": 5, "plain": -5}.get(attention, 0)
        axes.annotate(f"{size} GB", (last["sequence"], last["peak_bytes"] / GB), (9, up), va="center", fontsize=9,
                      textcoords="offset points", color=look.colour)  # fmt: skip
        for machine in machines:
            found = machine.table[machine.table["attention"] == attention]
            axes.plot(found["sequence"], found["peak_bytes"] / GB, linestyle="none", marker=look.marker, markersize=11,
                      markerfacecolor="none", color=look.colour)  # fmt: skip
    formula, look = totals.drop_duplicates("sequence"), LOOKS["formula"]
    axes.plot(formula["sequence"], formula["scores_formula_bytes"] / GB, color=look.colour, linestyle=look.line,
              marker=look.marker, linewidth=1.5, label=look.long)  # fmt: skip
    lengths = formula["sequence"].tolist()
    axes.set(xscale="log", yscale="log", xlabel="sequence n (tokens, logarithmic)", ylabel="peak (GB, logarithmic)")
    axes.set_xticks(lengths, [f"{n // 1024}k" if n % 1024 == 0 else f"{n}" for n in lengths])
    axes.minorticks_off()
    axes.set_xlim(right=3 * lengths[-1])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(loc="upper left", fontsize=9)
    axes.set_title(
        f"up to {lengths[-1]:,} tokens: quadratic against linear\n"
        f"(dashed: fitted up to {fits['fit_longest_tokens'].max():,}, sdpa by a line)", fontsize=10,
    )  # fmt: skip


def polynomial(fit: pd.Series, n: np.ndarray) -> np.ndarray:
    return fit["constant_bytes"] + fit["bytes_per_token"] * n + fit["bytes_per_token2"] * n**2


def check(table: pd.DataFrame, fits: pd.DataFrame, path: Path, fit_path: Path) -> None:
    """Raises ArtefactError when a part is missing, parts do not add up, or a polynomial is not that of the peaks."""
    groups = table.groupby(["attention", "sequence"])
    totals = groups[["peak_bytes", "held_bytes", "reserved_bytes", "scores_formula_bytes"]]
    first = totals.first()
    held, peak, reserved = (first[f"{which}_bytes"] for which in ("held", "peak", "reserved"))
    n, heads = table["sequence"], table["heads"]
    lengths = table.groupby("attention")["sequence"].agg(set)
    parts = (groups["part"].agg(set) == PARTS.keys()).all()
    once = not table.duplicated(["attention", "sequence", "part"]).any()
    sizes = table[["d_model", "heads", "batch"]].drop_duplicates()
    identities = {
        "every attention and part is there, once": set(table["attention"]) == ATTENTIONS.keys() and parts and once,
        "every attention has the same lengths": all(each == lengths.iloc[0] for each in lengths),
        "one layer and one peak": (totals.nunique() == 1).all(axis=None) and len(sizes) == 1,
        "parts add up to the peak": (groups["part_bytes"].sum() == peak).all(),
        "held <= peak <= reserved": (held <= peak).all() and (peak <= reserved).all(),
        "a score matrix is heads x n^2 x 4 bytes": (table["scores_formula_bytes"] == 4 * heads * n**2).all(),
    }
    tables.must_hold(path, identities)
    there = set(zip(fits["attention"], fits["degree"])) == {(a, d) for a in ATTENTIONS for d in (1, 2)}
    identities = {
        "fits are there for each attention": there and not fits.duplicated(["attention", "degree"]).any(),
        "fits are up to one length": fits["fit_longest_tokens"].nunique() == 1,
        "fits are those of the peaks": all(is_fit_of(fit, first) for _, fit in fits.iterrows()),
    }
    tables.must_hold(fit_path, identities)


def is_fit_of(fit: pd.Series, totals: pd.DataFrame) -> bool:
    """Whether its largest error is what the polynomial is off by, as far as nine digits say."""
    peaks = totals["peak_bytes"].get(fit["attention"])
    if peaks is None:
        return False
    peaks = peaks[peaks.index <= fit["fit_longest_tokens"]]
    errors = np.abs(polynomial(fit, peaks.index.to_numpy(dtype=float)) - peaks)
    return bool(np.isclose(errors.max(), fit["max_error_bytes"], rtol=1e-4, atol=10))


def has_bytes(path: Path) -> bool:
    """Whether a measured table has peaks: on a CPU only seconds are taken."""
    return files.read_csv(path, ["peak_bytes"])["peak_bytes"].notna().any()


def check_measured(machine: Measured, table: pd.DataFrame) -> None:
    """Raises ArtefactError unless the measured layer and lengths are those of the table.

    A smoke test may be shorter than the table; a measurement may not be longer.
    """
    sizes = ["d_model", "heads", "batch"]
    modelled = table.drop_duplicates(["attention", "sequence"])
    both = machine.table.merge(modelled, on=["attention", "sequence"], suffixes=("", "_here"))
    machine.must_hold(
        {
            "measured attentions and lengths are in the table": len(both) == len(machine.table),
            "measured and modelled layer are one": all((both[size] == both[f"{size}_here"]).all() for size in sizes),
            "measured and modelled formula agree": (
                both["scores_formula_bytes"] == both["scores_formula_bytes_here"]
            ).all(),
        }
    )
