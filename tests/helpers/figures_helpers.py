"""Commands run in this process, with a parser as their own, and the one way in which tests draw a chart."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.text import Text

from postproof.charts import plotting
from postproof.core import files

LEAST_POINTS = 6.5  # 9 px where plotting.COLUMN is 720
MARKS_LOG = re.compile(r"\([^()]*\blog\b[^()]*\)")  # (log), (tokens, log), (log; 0: none)


@contextlib.contextmanager
def looked_at() -> Iterator[None]:
    """Every chart with a heading is looked at before it is saved: its width, its type, and that nothing is cut off."""
    save = plotting.save

    def look_and_save(figure: Figure, *paths: Path) -> None:
        if hasattr(figure, "headed"):
            figure.draw_without_rendering()
            width = figure.get_size_inches()[0]
            assert width <= plotting.COLUMN + 1e-9, f"{width} inches wide"
            for text in figure.findobj(Text):
                if text.get_visible() and text.get_text().strip():
                    assert text.get_size() >= LEAST_POINTS, f"{text.get_text()!r} has {text.get_size()} points"
            for text in figure.texts:
                box = text.get_window_extent()
                assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 + 1, f"{text.get_text()!r} is cut off"
            drawn = [axes for axes in figure.axes if axes.axison and axes.has_data()]
            for axis in (axis for axes in drawn for axis in (axes.xaxis, axes.yaxis)):
                label = axis.get_label_text()
                assert not label or (axis.get_scale() in ("log", "symlog")) == bool(MARKS_LOG.search(label)), (
                    f"{label!r}: log or not"
                )
        save(figure, *paths)

    plotting.save = look_and_save
    try:
        yield
    finally:
        plotting.save = save


def run(command: str, argv: Sequence) -> None:
    """`command` as on the command line, e.g. llama2.figures.rope_decay."""
    module = importlib.import_module(f"postproof.{command}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    with looked_at():
        module.main(parser.parse_args([str(argument) for argument in argv]))


def tables_of(post: str, chart: str) -> list[str]:
    """Names of the tables that a chart draws, without the post."""
    module = importlib.import_module(f"postproof.{post}.figures.{chart}")
    return [name.partition("/")[2] for name in getattr(module, "TABLES", ())]


def draw(
    post: str,
    chart: str,
    tables: Mapping[str, pd.DataFrame | Path] | Sequence[Path],
    folder: Path,
    measured: Sequence[Path] = (),
) -> list[bytes]:
    """The SVG and the PNG that a chart makes of its tables: frames or files by name, or files in its order."""
    if isinstance(tables, Mapping):
        tables = [_file(tables[name], folder / f"{name}.csv") for name in tables_of(post, chart)]
    out = [folder / "chart.svg", folder / "chart.png"]
    argv = ["--out-svg", out[0], "--out-png", out[1]]
    argv += ["--tables", *tables] if tables else []
    argv += ["--measured", *measured] if measured else []
    run(f"{post}.figures.{chart}", argv)
    return [path.read_bytes() for path in out]


def _file(table: pd.DataFrame | Path, path: Path) -> Path:
    if isinstance(table, pd.DataFrame):
        files.write_csv(path, table)
        return path
    return table


def store_measured(folder: Path, table: pd.DataFrame, machine: str = "a-laptop", **changed) -> Path:
    """A measurement of a machine: its table, whose path this gives, and beside it where it was taken."""
    path = folder / f"{machine}.csv"
    files.write_csv(path, table)
    about = {"machine": machine, "device_name": f"The {machine}", "threads": 2, "tiny": False}
    about |= {"date_utc": "2026-03-04T05:06:07+00:00", "table_sha256": files.sha256(path)}
    files.write_json(path.with_suffix(".json"), about | changed)
    return path
