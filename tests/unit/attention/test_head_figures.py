"""The charts of attention heads: the same bytes twice, and no chart from a table that breaks what it draws."""

import functools
from pathlib import Path

import pandas as pd
import pytest
from test_heads import run_command, save_run, uniform_scores

import figures_helpers
from postproof.core import files
from postproof.core.errors import ArtefactError

draw = functools.partial(figures_helpers.draw, "attention")

FIGURES = {
    figure: figures_helpers.tables_of("attention", figure)
    for figure in ("head_entropy_heatmap", "head_layer_gradient", "head_type_examples", "padding_effect")
}
# Figure, table to spoil, row, column and value.
SPOILT = [
    ("head_entropy_heatmap", "heads", 3, "entropy", 9.0),
    ("head_entropy_heatmap", "heads", 3, "layer", 0),
    ("head_entropy_heatmap", "heads", 60, "entropy_share", 1.5),
    ("head_entropy_heatmap", "head_limits", 0, "entropy_limit", 0.1),
    ("head_entropy_heatmap", "posted_head_entropy_heatmap", 3, "head", 0),
    ("head_layer_gradient", "posted_head_layer_gradient", 1, "layer", 0),
    ("head_layer_gradient", "posted_head_layer_gradient", 1, "mixed", 9),
    ("head_layer_gradient", "heads_by_layer", 2, "copy_posted", 17),
    ("head_layer_gradient", "heads_by_layer", 2, "entropy_low", 9.0),
    ("head_layer_gradient", "heads_by_layer", 2, "layer", 3),
    ("head_layer_gradient", "head_limits", 0, "entropy_limit", 0.1),
    ("head_type_examples", "head_examples", 4, "weight", 0.9),
    ("head_type_examples", "head_examples", 4, "key_position", 7),
    ("head_type_examples", "head_examples", 4, "layer", 77),
    ("head_type_examples", "head_examples", 4, "class", "sharp"),
    ("head_type_examples", "head_examples", 4, "query_token", "other"),
    ("padding_effect", "padding_effect", 1, "real_part", 1.0),
    ("padding_effect", "padding_effect", 1, "padding_part_share", 0.01),
    ("padding_effect", "padding_effect", 1, "padding_low", 5.0),
    ("padding_effect", "padding_effect", 1, "layer", 0),
    ("padding_effect", "padding_effect", 20, "padding_part", 0.0),  # of the model padded otherwise
]


def write_posted(folder: Path) -> None:
    """What the author could have published of a model of three layers and four heads."""
    heads = pd.DataFrame([(layer, head) for layer in range(3) for head in range(4)], columns=["layer", "head"])
    entropies = 2 - 0.8 * heads["layer"] + 0.1 * heads["head"]
    files.write_csv(folder / "posted_head_entropy_heatmap.csv", heads.assign(entropy_nats=entropies))
    by_layer = {"layer": [0, 1, 2], "mean_entropy_nats": [2.1, 1.3, 0.5]}
    counts = {"local": [1, 0, 0], "copy": [0, 2, 4], "broad": 0, "mixed": [3, 2, 0]}
    files.write_csv(folder / "posted_head_layer_gradient.csv", pd.DataFrame(by_layer | counts))


def write_tables(folder: Path, **changes) -> Path:
    names = ("stand_in", "stand_in_pad_other")
    run_command(folder, [save_run(folder / f"{name}.safetensors", name=name, **changes) for name in names])
    write_posted(folder)
    return folder


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    return write_tables(tmp_path_factory.mktemp("tables"))


@pytest.mark.parametrize("figure", FIGURES)
def test_bytes_repeat(figure, tables, tmp_path):
    paths = [tables / f"{name}.csv" for name in FIGURES[figure]]
    assert draw(figure, paths, tmp_path) == draw(figure, paths, tmp_path)


@pytest.mark.parametrize("figure", FIGURES)
def test_one_class_and_few_layers_can_be_drawn(figure, tmp_path):
    """Uniform attention: every head is of one class, and the other panels say so."""
    folder = write_tables(tmp_path, score=uniform_scores, layers=2)
    assert all(draw(figure, [folder / f"{name}.csv" for name in FIGURES[figure]], tmp_path))


@pytest.mark.parametrize("figure, spoilt, row, column, value", SPOILT)
def test_a_table_that_breaks_an_identity_is_not_drawn(figure, spoilt, row, column, value, tables, tmp_path):
    table = files.read_csv(tables / f"{spoilt}.csv")
    if isinstance(value, str):
        table[column] = table[column].astype(object)
    elif table[column].dtype.kind == "i":
        table[column] = table[column].astype(float)
    table.loc[row, column] = value
    files.write_csv(tmp_path / f"{spoilt}.csv", table)
    paths = [(tmp_path if name == spoilt else tables) / f"{name}.csv" for name in FIGURES[figure]]
    with pytest.raises(ArtefactError):
        draw(figure, paths, tmp_path)
    assert not (tmp_path / "chart.svg").exists()


@pytest.mark.parametrize("figure", FIGURES)
def test_a_table_without_a_column_is_refused(figure, tables, tmp_path):
    first, *others = FIGURES[figure]
    table = files.read_csv(tables / f"{first}.csv")
    files.write_csv(tmp_path / f"{first}.csv", table.drop(columns=table.columns[[0, 4]]))
    with pytest.raises(ArtefactError, match="lacks"):
        draw(figure, [tmp_path / f"{first}.csv", *(tables / f"{name}.csv" for name in others)], tmp_path)
