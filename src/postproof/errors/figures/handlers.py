"""Status of the answer to each request, by application: as the post describes it, the same with errors that have a
`message`, Flask without handlers of its own, and mended.

A row is a request, a column an application. Green: the status that HTTP has for the case, or the post for its own; red:
another; grey: the server's debugger answers. What else is to be seen of an answer stands beside its status.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from postproof.charts import palette, plotting
from postproof.core import tables
from postproof.errors.looks import ANSWERS

TABLES = ("errors/handlers",)
APPS = {
    "described": "as described",
    "with_message": "described,\nwith message",
    "flask_alone": "Flask alone",
    "mended": "mended",
}
CASES = {
    "valid": "valid data",
    "no_email": "no email",
    "database": "database fails",
    "validation_of_secret": "password too short",
    "authentication": "token not valid",
    "external_service": "other service fails",
    "bug": "a bug",
    "bug_in_debug_mode": "a bug, debug mode",
    "unknown_path": "unknown path",
    "wrong_method": "GET in place of POST",
    "head": "HEAD in place of POST",
    "options": "OPTIONS",
    "wrong_content_type": "body is text/plain",
    "malformed_json": "JSON is cut off",
    "json_list": "JSON is a list",
    "json_null": "JSON is null",
}
PROBLEM = "application/problem+json"


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, TABLES)


def main(args) -> None:
    table = read(args.tables[0])
    plotting.style()
    cases = table["case"].unique()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 1.9 + 0.27 * len(cases)))
    draw(axes, table)
    plotting.headed(
        figure,
        says(table),
        "Status of each answer, by request and application; green where it is that of HTTP (RFC 9110) or, for its own "
        "errors, of the post. leaks: the body holds a secret of the error. problem: a problem detail of RFC 9457.",
        plotting.source(TABLES, "Requests through Flask's test client."),
    )
    plotting.save(figure, args.out_svg, args.out_png)


def read(path: Path) -> pd.DataFrame:
    """Raises ArtefactError when an application was not asked all that another was, or a case has two right answers."""
    table = tables.read(path, *TABLES)
    whole = (
        len(table) == table["app"].nunique() * table["case"].nunique() == len(table.drop_duplicates(["app", "case"]))
    )
    one = (table.groupby("case")["expected_status"].nunique() == 1).all()
    counted = (table["right"] == (table["status"] == table["expected_status"])).all()
    tables.must_hold(
        path,
        {
            "each application is asked the same": whole,
            "one answer is right for each case": one,
            "right is what was expected": counted,
        },
    )
    return table


def says(table: pd.DataFrame) -> str:
    """How many of the answers are right, as described and mended."""
    counts = table.groupby("app")["right"].sum()
    of = table["case"].nunique()
    described, message, mended = (int(counts[app]) for app in ("described", "with_message", "mended"))
    return (
        f"As described, {described} of {of} requests get the right status; with a message on its errors {message}, "
        f"mended {mended}"
    )


def draw(axes: Axes, table: pd.DataFrame) -> None:
    apps = [app for app in APPS if app in set(table["app"])]
    cases = list(table["case"].unique())
    for _, row in table.iterrows():
        x, y = apps.index(row["app"]), cases.index(row["case"])
        axes.add_patch(Rectangle((x - 0.48, y - 0.44), 0.96, 0.88, color=colour(row), alpha=0.25, linewidth=0))
        axes.annotate(cell(row), (x, y), ha="center", va="center", color=palette.BLACK, size=plotting.SMALL_POINTS)
    axes.scatter([0], [0], alpha=0)
    expected = table.groupby("case", sort=False)["expected_status"].first()
    names = [f"{CASES.get(case, case)}: {expected[case]}" for case in cases]
    axes.set_yticks(range(len(cases)), names)
    axes.set_xticks(range(len(apps)), [APPS[app] for app in apps])
    axes.xaxis.tick_top()
    axes.set(xlim=(-0.5, len(apps) - 0.5), ylim=(len(cases) - 0.5, -0.5))
    axes.tick_params(length=0)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def colour(row: pd.Series) -> str:
    """Grey where the debugger answers in the application's stead."""
    if row["debugger"]:
        return palette.GREY
    return ANSWERS["right" if row["right"] else "wrong"].colour


def cell(row: pd.Series) -> str:
    """What stands in a cell: the status, and what else is to be seen of the answer."""
    if row["debugger"]:
        return "debugger"
    notes = [note for note, holds in (("leaks", row["leaks"]), ("problem", row["media_type"] == PROBLEM)) if holds]
    return ", ".join([f"{row['status']:.0f}", *notes])
