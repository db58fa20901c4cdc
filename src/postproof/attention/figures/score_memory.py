"""Peak memory of one attention layer over the sequence, as in the post: the peaks of the post's table, those of the
chart in the author's repository, which differ, and the post's theoretical score matrix, as marks. Lines: the same
layer, modelled by the rules of the CUDA caching allocator (dots, and a polynomial through them), for three ways of
computing attention, and one score matrix of each head by formula; open marks where a machine has measured it. Below:
what the posted peaks have more than the modelled ones that they follow most closely.
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
from postproof.charts.palette import POSTED
from postproof.core import files, tables

TABLES = ("attention/score_memory", "attention/score_memory_fit", "attention/posted_score_memory")
MEASURED = ("score_memory",)
MEASURED_NUMBERS = ["sequence", "d_model", "heads", "batch", "scores_formula_bytes", "peak_bytes"]
MB, GB = 10**6, 10**9
PEAKS = {"peak_mb_table": "the post's table", "peak_mb_chart": "the author's chart"}
MARKS = {"peak_mb_table": POSTED.marker, "peak_mb_chart": "+", "theory_mb_table": "1"}
NAMES = {
    "peak_mb_table": "the post's table: peak",
    "peak_mb_chart": "chart in the author's repository: peak",
    "theory_mb_table": "the post's table: “theoretical score matrix”",
}
IN_WORDS = {"plain_all_kept": "the layer that keeps all", "plain": "the layer that lets go", "sdpa": "torch's own"}
STRAY_MB = 5  # by how much more the last difference may leave the range of the others before it is said apart


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES, MEASURED)


def main(args) -> None:
    table, fits, posted = tables.read_all(args.tables, TABLES)
    check(table, fits, *args.tables[:2])
    machines = on_machines.read_all(filter(has_bytes, args.measured), ["attention"], MEASURED_NUMBERS)
    for machine in machines:
        check_measured(machine, table)
    longest = max(fits["fit_longest_tokens"].max(), posted["sequence"].max())
    more = differences(table, posted)
    plotting.style()
    figure, (peaks, above) = plt.subplots(2, 1, figsize=(plotting.COLUMN, 7.4), height_ratios=[2, 1], sharex=True)
    ends = draw_peaks(peaks, table[table["sequence"] <= longest], fits, posted, machines)
    draw_differences(above, more)
    above.set_xticks(lengths := sorted({*posted["sequence"], *table.loc[table["sequence"] <= longest, "sequence"]}),
                     [f"{n:,}" for n in lengths])  # fmt: skip
    above.set(xlabel="sequence (tokens)", xlim=(0, 1.02 * longest))
    plotting.headed(
        figure,
        says(table, posted, more),
        what(table, machines),
        plotting.source(TABLES, "Modelled: the CUDA caching allocator's rules, without cuBLAS's workspace."),
    )
    plotting.name_ends(peaks, ends)
    plotting.save(figure, args.out_svg, args.out_png)


def differences(table: pd.DataFrame, posted: pd.DataFrame) -> dict[str, tuple[str, pd.Series]]:
    """Per posted series of peaks: the modelled attention from which it differs most evenly, and by how much (MB)."""
    modelled = table.drop_duplicates(["attention", "sequence"]).pivot(
        index="sequence", columns="attention", values="peak_bytes"
    )[list(ATTENTIONS)] / MB  # fmt: skip
    found = {}
    for column in PEAKS:
        more = -modelled.sub(posted.set_index("sequence")[column], axis=0).dropna()
        if not more.empty:
            nearest = (more - more.median()).abs().mean().idxmin()
            found[column] = nearest, more[nearest]
    return found


def draw_peaks(
    axes: Axes, table: pd.DataFrame, fits: pd.DataFrame, posted: pd.DataFrame, machines: list[Measured]
) -> list[tuple]:
    """Returns where lines end, for their names."""
    totals = table.drop_duplicates(["attention", "sequence"])
    ends = []
    for attention, look in ATTENTIONS.items():
        rows = totals[totals["attention"] == attention]
        fit = fits[(fits["attention"] == attention) & (fits["degree"] == (1 if attention == "sdpa" else 2))].iloc[0]
        n = np.linspace(rows["sequence"].min(), rows["sequence"].max(), 200)
        axes.plot(n, polynomial(fit, n) / MB, color=look.colour, linestyle=look.line, linewidth=1.5)
        axes.plot(rows["sequence"], rows["peak_bytes"] / MB, color=look.colour, marker=look.marker, markersize=3.5,
                  linestyle="none")  # fmt: skip
        ends.append((rows["sequence"].iloc[-1], rows["peak_bytes"].iloc[-1] / MB, look.short, look.colour))
        for machine in machines:
            found = machine.table[
                (machine.table["attention"] == attention) & (machine.table["sequence"] <= rows["sequence"].max())
            ]
            axes.plot(found["sequence"], found["peak_bytes"] / MB, linestyle="none", marker=look.marker, markersize=9,
                      markerfacecolor="none", color=look.colour)  # fmt: skip
    formula, look = totals.drop_duplicates("sequence"), LOOKS["formula"]
    matrix = formula["scores_formula_bytes"] / MB
    square = matrix.iloc[-1] * (n / formula["sequence"].iloc[-1]) ** 2
    axes.plot(n, square, color=look.colour, linestyle=look.line, linewidth=1.5)
    ends.append((formula["sequence"].iloc[-1], matrix.iloc[-1], look.short, look.colour))
    for column, marker in MARKS.items():
        axes.plot(posted["sequence"], posted[column], color=POSTED.colour, marker=marker, markersize=8.5,
                  markeredgewidth=1.8, linestyle="none", label=NAMES[column], zorder=3)  # fmt: skip
    highest = max(posted[list(MARKS)].max().max(), totals["peak_bytes"].max() / MB)
    axes.set(ylabel="memory (MB)", ylim=(-0.02 * highest, 1.08 * highest))
    axes.legend(loc="upper left", fontsize=plotting.SMALL_POINTS)
    return ends


def draw_differences(axes: Axes, more: dict[str, tuple[str, pd.Series]]) -> None:
    for column, (_, values) in more.items():
        axes.plot(values.index, values, color=POSTED.colour, marker=MARKS[column], markersize=8.5, markeredgewidth=1.8,
                  linestyle="none")  # fmt: skip
        up = 8 if values.mean() == max(other.mean() for _, other in more.values()) else -8
        for sequence, value in values.items():
            axes.annotate(f"{value:.0f}", (sequence, value), (0, up), textcoords="offset points", ha="center",
                          va="bottom" if up > 0 else "top", fontsize=plotting.SMALL_POINTS,
                          bbox={"facecolor": palette.WHITE, "edgecolor": "none", "pad": 0.5})  # fmt: skip
    axes.axhline(0, color=palette.DARK_GREY, linewidth=0.8)
    axes.margins(y=0.35)
    axes.set_ylabel("posted minus\nmodelled (MB)")
    names = ", ".join(f"{PEAKS[column]} minus “{ATTENTIONS[of].short}”" for column, (of, _) in more.items())
    axes.set_title(names, fontsize=plotting.SMALL_POINTS, loc="left")


def says(table: pd.DataFrame, posted: pd.DataFrame, more: dict[str, tuple[str, pd.Series]]) -> str:
    """Which modelled layer each posted series is, but for how much; how large the posted score matrix is."""
    formula = table.drop_duplicates("sequence").set_index("sequence")["scores_formula_bytes"] / MB
    times = (posted.set_index("sequence")["theory_mb_table"] / formula).dropna()
    if not more:
        return "The post measured other lengths than those of this table"
    parts = [f"{PEAKS[column]} is {IN_WORDS[of]} {over(values)}" for column, (of, values) in more.items()]
    ratio = f"{times.iloc[-1]:.0f}"
    matrix = "that of the formula" if ratio == f"{1:d}" else f"{ratio} times the formula's"
    text = "; ".join([*parts, f"the post's “theoretical” score matrix is {matrix}"])
    return text[0].upper() + text[1:]


def over(values: pd.Series) -> str:
    """E.g. plus 11 to 14 MB; the longest sequence apart where it strays from the others."""
    *others, last = values
    if others and not min(others) - STRAY_MB <= last <= max(others) + STRAY_MB:
        return f"{span(others)} MB, at {values.index[-1]:,} tokens {span([last])}"
    return f"{span(list(values))} MB"


def span(values: list[float]) -> str:
    low, high = (f"{abs(end):.0f}" for end in sorted((min(values), max(values)), key=abs))
    if min(values) < 0 < max(values):
        return f"within {high}"
    sign = "minus" if max(values) <= 0 else "plus"
    return f"{sign} {low}" if low == high else f"{sign} {low} to {high}"


def what(table: pd.DataFrame, machines: list[Measured]) -> str:
    first = table.iloc[0]
    longest = table[table["sequence"] == table["sequence"].max()].drop_duplicates("attention").set_index("attention")
    sizes = ", ".join(
        f"{longest.loc[attention, 'peak_bytes'] / GB:,.3g} GB {ATTENTIONS[attention].short}" for attention in ATTENTIONS
    )
    measured = [f"Open marks: measured on {machine.heading(1000)}.".replace("\n", ", ") for machine in machines]
    return " ".join([
        f"Peak memory of one layer in MB, d_model {first['d_model']}, {first['heads']} heads, batch {first['batch']},"
        " float32, no gradient. Crosses: the post. Lines: modelled peaks (dots) and the polynomial through them,"
        " of second degree, of first for sdpa; “all kept” holds every intermediate, “plain” lets"
        " go as soon as may be, sdpa is torch's scaled_dot_product_attention, “formula” is one score matrix per head.",
        f"At {table['sequence'].max():,} tokens: {sizes}.",
        *measured,
    ])  # fmt: skip


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
