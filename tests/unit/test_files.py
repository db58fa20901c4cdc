"""A file is whole or not there, and reads back as it was written."""

import numpy as np
import pandas as pd
import pytest
import torch

from postproof import files
from postproof.errors import ArtefactError


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old\n")
    with pytest.raises(RuntimeError), files.atomic(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old\n" and list(tmp_path.iterdir()) == [path]


def test_what_a_killed_write_left_is_cleared_by_the_next(tmp_path):
    (tmp_path / ".table.csv.tmp123.csv").write_text("left by a killed run")
    files.write_text(tmp_path / "table.csv", "new\n")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_float32_values_survive_a_table(tmp_path):
    scales = 10.0 ** np.arange(-20, 20).repeat(25)
    values = (np.random.default_rng(0).standard_normal(1000) * scales).astype(np.float32)
    files.write_csv(tmp_path / "table.csv", pd.DataFrame({"x": values}))
    assert np.array_equal(files.read_csv(tmp_path / "table.csv")["x"].to_numpy(np.float32), values)


def test_the_same_tensors_and_metadata_are_the_same_bytes(tmp_path):
    tensors = {name: torch.arange(5.0) for name in "zyxabc"}
    metadata = {name: index for index, name in enumerate("qwertz")}
    for name in ("a", "b"):
        files.save_tensors(tmp_path / name, tensors, metadata)
    assert files.sha256(tmp_path / "a") == files.sha256(tmp_path / "b")
    loaded, loaded_metadata = files.load_tensors(tmp_path / "a")
    assert loaded_metadata == metadata and all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_nan_has_no_json(tmp_path):
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "x.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "a,b", "a,b\n", "a,b\n1,2\n3", "a,b\n1,2,3,4\n5,6,7\n"])
def test_a_table_that_is_not_whole_is_an_error(tmp_path, text):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(ArtefactError, match="table"):
        files.read_csv(tmp_path / "table.csv", ["a", "b"])
