"""What becomes of one failure of the database in a service of five layers, by where errors are handled.

Each panel is one number for each handling: functions that the exception passes through until one catches it, records
that it leaves in the log, how much of what the layers knew stands in one of these, and lines of code about errors.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import plotting
from postproof.core import tables
from postproof.errors.looks import HANDLINGS

TABLES = ("errors/error_propagation", "errors/error_propagation_code")
FAILURE = "database_down"
# Column, and what it is; the table of the code has the last.
PANELS = {
    "frames": "functions until\none catches it",
    "records": "records\nin the log",
    "context_in_one_record": "facts known,\nin one record",
    "error_share": "lines about errors\n(% of the code)",
}


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(args.tables)
    plotting.style()
    figure, panels = plt.subplots(1, len(PANELS), figsize=(plotting.COLUMN, 3.2), sharey=True)
    for axes, column in zip(panels, PANELS):
        draw(axes, table, column)
    plotting.headed(
        figure,
        says(table),
        "The database cannot be reached, in a service of "
        f"{table['layers'].iloc[0]} layers written {len(table)} times. Facts: request, user and query. Lines about "
        "errors: try, except with what stands in it, and looking for a failure of what was called.",
        plotting.source(TABLES, "A service of our own, run with each handling."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def read(paths: list[Path]) -> pd.DataFrame:
    """A row per handling. Raises ArtefactError when the two tables have not the same, or a part exceeds its whole."""
    travelled, code = tables.read_all(paths, TABLES)
    failed = travelled[travelled["failure"] == FAILURE]
    same = sorted(failed["handling"]) == sorted(code["handling"])
    within = (code["error_lines"] <= code["code_lines"]).all()
    known = (failed["context_logged"] <= failed["context_known"]).all()
    tables.must_hold(paths[1], {"both tables have the same handlings": same, "error lines are lines": within})
    tables.must_hold(paths[0], {"no more is logged than is known": known})
    table = failed.merge(code, on="handling")
    return table.assign(error_share=100 * table["error_lines"] / table["code_lines"]).set_index("handling")


def says(table: pd.DataFrame) -> str:
    """Records and context of the handling that leaves most records, and of the mixed one."""
    if "mixed" not in table.index:
        return f"A failure leaves {table['records'].min()} to {table['records'].max()} records, by how it is handled"
    most, mixed = table.loc[table["records"].idxmax()], table.loc["mixed"]
    return (
        f"One failure leaves {most['records']} records in the log where {phrase(most.name)}; handled "
        f"both ways {mixed['records']}, with {mixed['context_in_one_record']} of {mixed['context_known']} facts"
    )


def phrase(handling: str) -> str:
    return {
        "local_none": "each layer logs and gives None",
        "local_rethrow": "each layer logs and raises its own",
        "central": "one place handles all",
        "mixed": "both ways are used",
    }[handling]


def draw(axes: Axes, table: pd.DataFrame, column: str) -> None:
    names = [HANDLINGS[handling].short for handling in table.index]
    colours = [HANDLINGS[handling].colour for handling in table.index]
    bars = axes.barh(range(len(table)), table[column], color=colours, height=0.6)
    axes.bar_label(bars, fmt="{:.0f}", padding=3, fontsize=plotting.SMALL_POINTS)
    axes.set_yticks(range(len(table)), names)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_title(PANELS[column], fontsize=plotting.SMALL_POINTS + 0.5, loc="left")
    axes.set_xlim(0, 1.2 * max(table[column].max(), 1))
    axes.set_xticks([])
    axes.grid(False)
    axes.spines["bottom"].set_visible(False)
