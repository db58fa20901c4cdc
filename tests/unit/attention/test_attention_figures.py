"""Charts of attention from scratch and its memory: the same bytes twice, none from a table that breaks an identity."""

import functools
import json
from pathlib import Path

import pandas as pd
import pytest

import figures_helpers
from figures_helpers import store_measured
from postproof.core import files
from postproof.core.errors import ArtefactError

draw = functools.partial(figures_helpers.draw, "attention")

FIGURES = {
    figure: figures_helpers.tables_of("attention", figure)
    for figure in ("attention_weights", "sinusoidal_encoding", "softmax_scaling", "score_memory")
}
SETTINGS = {
    "attention_weights": {"sentence": "one two three two", "d_model": 16, "heads": 2, "head": 1, "seed": 0},
    "sinusoidal_encoding": {"d_model": 32, "base": 10_000, "positions": 12},
    "softmax_scaling": {"seed": 0, "d_heads": [1, 16, 64], "rows": 200, "keys": 16, "d_model": 32, "heads": [1, 4]},
    "score_memory": {"sequences": [64, 128, 256, 1024, 4096], "fit_longest": 1024},
}
OPTIONS = {
    "sinusoidal_wavelengths": "--out-wavelengths", "softmax_heads": "--out-heads", "score_memory_fit": "--out-fit",
}  # fmt: skip
POSTED = {
    "posted_score_memory": pd.DataFrame(
        {"sequence": [64, 128, 1024], "peak_mb_table": [20, 25, 240], "theory_mb_table": [3.0, 10.0, 700.0],
         "peak_mb_chart": [15, 20, 130]}
    ),
}  # fmt: skip
BROKEN = "breaks an identity|out of range|a label that its schema has not"
# Figure, table to spoil, row, column and value.
SPOILT = [
    ("attention_weights", "attention_weights", 3, "weight", 0.9),
    ("attention_weights", "attention_weights", 3, "weight", -0.1),
    ("attention_weights", "attention_weights", 17, "weight", 0.5),
    ("attention_weights", "attention_weights", 3, "mask", "padding"),
    ("attention_weights", "attention_weights", 3, "key_word", "four"),
    ("attention_weights", "attention_weights", 3, "key", 2),
    ("attention_weights", "attention_weights", 3, "head", 0),
    ("sinusoidal_encoding", "sinusoidal_encoding", 40, "value", 0.5),
    ("sinusoidal_encoding", "sinusoidal_encoding", 40, "position", 2),
    ("sinusoidal_encoding", "sinusoidal_wavelengths", 2, "wavelength_positions", 9.0),
    ("sinusoidal_encoding", "sinusoidal_wavelengths", 2, "turns_in_base", 9.0),
    ("sinusoidal_encoding", "sinusoidal_wavelengths", 2, "cosine_dimension", 6),
    ("softmax_scaling", "softmax_scaling", 1, "expected_rms", 2.0),
    ("softmax_scaling", "softmax_scaling", 4, "score_rms", 12.0),
    ("softmax_scaling", "softmax_scaling", 1, "largest_weight", 1.2),
    ("softmax_scaling", "softmax_scaling", 1, "entropy_nats", 5.0),
    ("softmax_scaling", "softmax_scaling", 1, "scaling", "none"),
    ("softmax_scaling", "softmax_heads", 1, "flops_counted", 5),
    ("softmax_scaling", "softmax_heads", 1, "flops_formula", 5),
    ("softmax_scaling", "softmax_heads", 3, "scores", 256),
    ("softmax_scaling", "softmax_heads", 3, "d_head", 4),
    ("score_memory", "score_memory", 3, "part_bytes", 5),
    ("score_memory", "score_memory", 3, "peak_bytes", 5),
    ("score_memory", "score_memory", 3, "part", "other"),
    ("score_memory", "score_memory", 3, "attention", "flash"),
    ("score_memory", "score_memory", 3, "scores_formula_bytes", 5),
    ("score_memory", "score_memory", 3, "heads", 4),
    ("score_memory", "score_memory_fit", 1, "bytes_per_token2", 90.0),
    ("score_memory", "score_memory_fit", 1, "degree", 3),
    ("score_memory", "score_memory_fit", 1, "fit_longest_tokens", 256),
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    for command, settings in SETTINGS.items():
        argv = ["--settings", json.dumps(settings)]
        for name in FIGURES[command]:
            if name in POSTED:
                files.write_csv(folder / f"{name}.csv", POSTED[name])
                continue
            argv += [OPTIONS.get(name, "--out"), folder / f"{name}.csv"]
        figures_helpers.run(f"attention.{command}", argv)
    return folder


def paths_of(figure: str, folder: Path) -> list[Path]:
    return [folder / f"{name}.csv" for name in FIGURES[figure]]


@pytest.mark.parametrize("figure", FIGURES)
def test_bytes_repeat(figure, tables, tmp_path):
    paths = paths_of(figure, tables)
    assert draw(figure, paths, tmp_path) == draw(figure, paths, tmp_path)


@pytest.mark.parametrize("figure, spoilt, row, column, value", SPOILT)
def test_a_table_that_breaks_an_identity_is_not_drawn(figure, spoilt, row, column, value, tables, tmp_path):
    table = files.read_csv(tables / f"{spoilt}.csv")
    if isinstance(value, float) and table[column].dtype.kind == "i":
        table[column] = table[column].astype(float)
    table.loc[row, column] = value
    files.write_csv(tmp_path / f"{spoilt}.csv", table)
    paths = [(tmp_path if name == spoilt else tables) / f"{name}.csv" for name in FIGURES[figure]]
    with pytest.raises(ArtefactError, match=BROKEN) as error:
        draw(figure, paths, tmp_path)
    assert not (tmp_path / "chart.svg").exists()
    assert str(error.value.context["file"]).startswith(str(tmp_path))


@pytest.mark.parametrize("figure", FIGURES)
def test_a_table_without_a_column_is_refused(figure, tables, tmp_path):
    first, *others = FIGURES[figure]
    table = files.read_csv(tables / f"{first}.csv")
    files.write_csv(tmp_path / f"{first}.csv", table.drop(columns=table.columns[2]))
    with pytest.raises(ArtefactError, match="lacks"):
        draw(figure, [tmp_path / f"{first}.csv", *(tables / f"{name}.csv" for name in others)], tmp_path)


# --- measured peaks ---


def write_measured(folder: Path, tables: Path, name: str, **changes) -> Path:
    """A table of the measurement's columns, with the modelled peaks as if measured and one length left out."""
    table = files.read_csv(tables / "score_memory.csv").drop_duplicates(["attention", "sequence"])
    columns = ["attention", "sequence", "d_model", "heads", "batch", "scores_formula_bytes", "peak_bytes"]
    table = table[columns].assign(note="")
    table.loc[(table["attention"] == "plain") & (table["sequence"] == 4096), ["peak_bytes", "note"]] = [None, "memory"]
    return store_measured(folder, table.assign(**changes), name)


def test_measured_peaks_are_drawn_when_there_are_any(tables, tmp_path):
    paths = paths_of("score_memory", tables)
    without = draw("score_memory", paths, tmp_path)
    gpu = write_measured(tmp_path, tables, "gpu")
    assert draw("score_memory", paths, tmp_path, measured=[gpu]) != without
    cpu = write_measured(tmp_path, tables, "cpu", peak_bytes=None)
    assert draw("score_memory", paths, tmp_path, measured=[cpu]) == without, "seconds alone are no peaks"


@pytest.mark.parametrize("column, value", [("heads", 16), ("sequence", 77), ("scores_formula_bytes", 1)])
def test_a_measurement_of_something_else_is_not_drawn(column, value, tables, tmp_path):
    gpu = write_measured(tmp_path, tables, "gpu", **{column: value})
    with pytest.raises(ArtefactError, match="identity"):
        draw("score_memory", paths_of("score_memory", tables), tmp_path, measured=[gpu])
