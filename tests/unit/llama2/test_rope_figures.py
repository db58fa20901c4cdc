"""The rope charts: the same bytes twice, from real tables, and no chart from a table that breaks what it draws."""

import functools
import shutil
from pathlib import Path

import pytest

import figures_helpers
from figures_helpers import tables_of
from postproof.core import files
from postproof.core.errors import ArtefactError
from postproof.llama2 import rope_angles, rope_decay, rope_diagram, rope_theta
from postproof.llama2.settings import RopeAngles, RopeDecay, RopeDiagram, RopeTheta

draw = functools.partial(figures_helpers.draw, "llama2")
POSTED = Path(__file__).parents[3] / "data/posted/llama2"

CHARTS = ("rope_rotation_angles", "rope_decay", "rope_theta", "rope_diagram")
FIGURES = {chart: tables_of("llama2", chart) for chart in CHARTS}
# Figure, table to spoil, row, column and value.
SPOILT = [
    ("rope_rotation_angles", "rope_angles", 100, "angle_rad", 1.0),
    ("rope_rotation_angles", "rope_angles", 100, "angle_mod_2pi_rad", 0.123),
    ("rope_rotation_angles", "rope_angles", 100, "position", 11),
    ("rope_decay", "rope_decay", 5, "expected", 0.06),
    ("rope_decay", "rope_decay", 5, "score", 0.5),
    ("rope_decay", "rope_decay", 5, "curve", "rope"),
    ("rope_decay", "rope_decay", 5, "distance", 6),
    ("rope_theta", "rope_theta", 5, "wavelength_tokens", 7.0),
    ("rope_theta", "rope_theta", 5, "frequency_rad_per_token", 0.5),
    ("rope_theta", "rope_theta_contexts", 1, "pairs_longer", 7),
    ("rope_theta", "rope_theta_contexts", 1, "base", 20_000),
    ("rope_diagram", "rope_diagram", 1, "x", 9.0),
    ("rope_diagram", "rope_diagram", 10, "vector", "q"),
    ("rope_diagram", "rope_scores", 3, "rope", 100.0),
    ("rope_diagram", "rope_scores", 3, "distance", 5),
]

HEAD = {"d_head": 128, "base": 10_000, "larger_base": 500_000}
SMALL_HEAD = HEAD | {"d_head": 16}


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    theta = RopeTheta(**SMALL_HEAD, position=3, contexts=[1000, 4096])
    diagram = RopeDiagram(
        **SMALL_HEAD, seed=0, pairs=[0, 7], positions=4, query_position=3, key_position=1, shift=2, tokens=6
    )
    decay = RopeDecay(**HEAD, draws=10, distances=12, seeds=[0, 1])
    made = {
        "rope_angles": rope_angles.angles(RopeAngles(**SMALL_HEAD, positions=20)),
        "rope_decay": rope_decay.curves(decay),
        "rope_theta": rope_theta.by_pair(theta),
        "rope_theta_contexts": rope_theta.by_context(theta, rope_theta.by_pair(theta)),
        "rope_diagram": rope_diagram.arrows(diagram),
        "rope_scores": rope_diagram.scores(diagram),
    }
    for name, table in made.items():
        files.write_csv(folder / f"{name}.csv", table)
    for path in POSTED.glob("rope_*.csv"):
        shutil.copy(path, folder / f"posted_{path.name}")
    return folder


@pytest.mark.parametrize("figure", FIGURES)
def test_bytes_repeat(figure, tables, tmp_path):
    paths = [tables / f"{name}.csv" for name in FIGURES[figure]]
    assert draw(figure, paths, tmp_path) == draw(figure, paths, tmp_path)


def test_one_seed_is_enough(tables, tmp_path):
    table = files.read_csv(tables / "rope_decay.csv")
    assert all(
        draw(
            "rope_decay",
            {"rope_decay": table[table["seed"] == 0], "posted_rope_decay": tables / "posted_rope_decay.csv"},
            tmp_path,
        )
    )


@pytest.mark.parametrize("figure, spoilt, row, column, value", SPOILT)
def test_a_table_that_breaks_an_identity_is_not_drawn(figure, spoilt, row, column, value, tables, tmp_path):
    table = files.read_csv(tables / f"{spoilt}.csv")
    if table[column].dtype.kind == "i":
        table[column] = table[column].astype(float)
    table.loc[row, column] = value
    files.write_csv(tmp_path / f"{spoilt}.csv", table)
    paths = [(tmp_path if name == spoilt else tables) / f"{name}.csv" for name in FIGURES[figure]]
    with pytest.raises(ArtefactError) as error:
        draw(figure, paths, tmp_path)
    assert not (tmp_path / "chart.svg").exists()
    assert str(error.value.context["file"]).startswith(str(tmp_path))


@pytest.mark.parametrize("figure", FIGURES)
def test_a_table_without_a_column_is_refused(figure, tables, tmp_path):
    first, *others = FIGURES[figure]
    table = files.read_csv(tables / f"{first}.csv")
    files.write_csv(tmp_path / f"{first}.csv", table.drop(columns=table.columns[3]))
    with pytest.raises(ArtefactError, match="lacks"):
        draw(figure, [tmp_path / f"{first}.csv", *(tables / f"{name}.csv" for name in others)], tmp_path)
