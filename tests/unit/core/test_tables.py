"""A table is what its schema says, when it is written and when it is read."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from postproof.core import tables
from postproof.core.errors import ArtefactError
from postproof.core.units import Unit
from postproof.engines import params

ROOT = Path(__file__).parents[3]
SCHEMAS = sorted((ROOT / "workflow/schemas/tables").glob("*/*.yaml"))
COMMITTED = sorted((ROOT / "results").glob("*/metrics/*.csv"))
SCHEMA = """
arm:
  unit: label
  description: which
  one_of: [dense, moe]
seed:
  unit: label
  description: of the run
step:
  unit: steps
  description: steps done
  at_least: 1
  at_most: 9
loss:
  unit: nats
  description: of the run
share:
  unit: "1"
  description: of something
  at_least: 0
  may_be_empty: true
"""


@pytest.fixture(autouse=True)
def schema(tmp_path, monkeypatch):
    """The schema of post/walk; no other schema is there."""
    (tmp_path / "schemas/post").mkdir(parents=True)
    (tmp_path / "schemas/post/walk.yaml").write_text(SCHEMA)
    monkeypatch.setattr(tables, "SCHEMAS", tmp_path / "schemas")
    tables.schema.cache_clear()
    yield
    tables.schema.cache_clear()


def frame(**columns) -> pd.DataFrame:
    good = {"arm": ["dense", "moe"], "seed": [7, 7], "step": [1, 9], "loss": [2.5, -1e300], "share": [0.5, np.nan]}
    return pd.DataFrame(good | columns)


def test_what_is_written_is_read(tmp_path):
    tables.write(tmp_path / "walk.csv", frame(), "post/walk")
    pd.testing.assert_frame_equal(tables.read(tmp_path / "walk.csv", "post/walk"), frame())


WRONG = {
    "column missing": (lambda: frame().drop(columns="loss"), "lacks column loss"),
    "column unknown": (lambda: frame(more=1), "has column more"),
    "columns in another order": (lambda: frame()[["seed", "arm", "step", "loss", "share"]], "another order"),
    "no value": (lambda: frame(loss=[1.0, np.nan]), "not a finite number"),
    "no label": (lambda: frame(arm=["dense", None]), "empty cell"),
    "no number at all": (lambda: frame(loss=np.nan), "not a finite number"),
    "infinite": (lambda: frame(loss=[1.0, np.inf]), "not a finite number"),
    "infinite where empty is allowed": (lambda: frame(share=[np.nan, np.inf]), "not a finite number"),
    "words for a number": (lambda: frame(loss=["much", "more"]), "not a finite number"),
    "one word among numbers": (lambda: frame(loss=[1.0, "more"]), "not a finite number"),
    "words where empty is allowed": (lambda: frame(share=["much", np.nan]), "not a finite number"),
    "too small": (lambda: frame(step=[0, 9]), "out of range"),
    "too large": (lambda: frame(step=[1, 10]), "out of range"),
    "too small beside an empty cell": (lambda: frame(share=[np.nan, -0.1]), "out of range"),
    "another label": (lambda: frame(arm=["dense", "sparse"]), "label that its schema has not"),
}


@pytest.mark.parametrize("wrong, said", WRONG.values(), ids=WRONG)
def test_what_is_not_of_its_schema_is_not_written(tmp_path, wrong, said):
    path = tmp_path / "walk.csv"
    path.write_text("old\n")
    with pytest.raises(ArtefactError, match=said):
        tables.write(path, wrong(), "post/walk")
    assert path.read_text() == "old\n"


@pytest.mark.parametrize("wrong, said", WRONG.values(), ids=WRONG)
def test_what_is_not_of_its_schema_is_not_read(tmp_path, wrong, said):
    wrong().to_csv(tmp_path / "walk.csv", index=False)
    with pytest.raises(ArtefactError, match=said) as caught:
        tables.read(tmp_path / "walk.csv", "post/walk")
    assert caught.value.context["file"] == tmp_path / "walk.csv"


def test_the_ends_of_a_range_are_in_it_and_the_message_names_the_one_that_is_left(tmp_path):
    tables.write(tmp_path / "walk.csv", frame(step=[1, 9], share=[0.0, np.nan]), "post/walk")
    for value, bound in ((0, "at least 1"), (10, "at most 9")):
        with pytest.raises(ArtefactError) as caught:
            tables.write(tmp_path / "walk.csv", frame(step=value), "post/walk")
        assert caught.value.context["allowed"] == bound and caught.value.context["column"] == "step"


def test_a_column_that_may_be_empty_may_be_so_in_every_row(tmp_path):
    tables.write(tmp_path / "walk.csv", frame(share=np.nan), "post/walk")
    assert tables.read(tmp_path / "walk.csv", "post/walk")["share"].isna().all()


def test_a_table_without_rows_is_not_read(tmp_path):
    (tmp_path / "walk.csv").write_text("arm,seed,step,loss,share\n")
    with pytest.raises(ArtefactError, match="no rows"):
        tables.read(tmp_path / "walk.csv", "post/walk")


def test_several_tables_are_read_in_order_and_as_many_as_are_named(tmp_path):
    tables.write(tmp_path / "walk.csv", frame(), "post/walk")
    [found] = tables.read_all([tmp_path / "walk.csv"], ["post/walk"])
    assert list(found) == ["arm", "seed", "step", "loss", "share"]
    with pytest.raises(ValueError):
        tables.read_all([tmp_path / "walk.csv"], ["post/walk", "post/walk"])


def test_a_table_without_a_schema_is_an_error():
    with pytest.raises(ArtefactError, match="cannot read the schema"):
        tables.schema("post/run")


NO_SCHEMA = {
    "nothing": "",
    "no YAML": "step: [",
    "no mapping": "- step\n",
    "no column": "step: 3\n",
    "no unit": "step: {description: steps done}\n",
    "no description": "step: {unit: steps}\n",
    "empty description": "step: {unit: steps, description: ' '}\n",
    "unknown key": "step: {unit: steps, description: steps done, at_lest: 1}\n",
    "a column twice": "step: {unit: steps, description: a}\nstep: {unit: steps, description: a}\n",
}


@pytest.mark.parametrize("text", NO_SCHEMA.values(), ids=NO_SCHEMA)
def test_what_is_no_schema_is_an_error_that_names_it(tmp_path, text):
    (tmp_path / "walk.yaml").write_text(text)
    with pytest.raises(ArtefactError, match="walk.yaml"):
        tables.read_schema(tmp_path / "walk.yaml")


def test_an_identity_that_is_broken_is_named_with_the_file():
    tables.must_hold("walk.csv", {"one is one": True, "two is two": np.bool_(True)})
    with pytest.raises(ArtefactError) as caught:
        tables.must_hold("walk.csv", {"one is one": True, "one is two": False, "one is three": False}, "count again")
    assert caught.value.context == {"file": "walk.csv", "identity": "one is two"}
    assert caught.value.remedy == "count again"


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_schema_is_whole(path):
    columns = tables.read_schema(path)
    for column in columns.values():
        assert column.is_label or Unit.parse(column.unit)
        assert column.one_of is None or column.is_label and len(set(column.one_of)) == len(column.one_of) > 0
        assert column.is_label is False or column.at_least is column.at_most is None
        assert not (column.is_label and column.tells_rows)
        if column.at_least is not None and column.at_most is not None:
            assert column.at_least <= column.at_most
        if column.from_params:
            assert column.name == "seed" and column.is_label
            assert isinstance(params.look_up(params.load(ROOT / "params.yaml"), column.from_params), list)
    assert sum(column.checkpoint for column in columns.values()) <= 1


def test_the_same_table_has_one_schema():
    """A table's schema stands with its post or with the tables that several posts have, not with both."""
    shared = {path.stem for path in SCHEMAS if path.parent.name == "published"}
    assert not [path for path in SCHEMAS if path.stem in shared and path.parent.name != "published"]


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_every_committed_table_is_of_its_schema(path, monkeypatch):
    monkeypatch.setattr(tables, "SCHEMAS", ROOT / "workflow/schemas/tables")
    tables.schema.cache_clear()
    own = f"{path.parts[-3]}/{path.stem}"
    name = own if (tables.SCHEMAS / f"{own}.yaml").is_file() else f"published/{path.stem}"
    assert len(tables.read(path, name)) > 0
