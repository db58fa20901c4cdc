"""A file is whole or not there, and reads back as it was written."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from postproof.core import files
from postproof.core.errors import ArtefactError


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old\n")
    with pytest.raises(RuntimeError), files.atomic(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old\n" and list(tmp_path.iterdir()) == [path]


def test_what_a_killed_write_left_is_cleared_by_the_next(tmp_path):
    (tmp_path / ".table.csv.tmp99999999.csv").write_text("left by a killed run")
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


def test_what_another_process_is_writing_is_left_alone_until_that_is_dead(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        left = tmp_path / f".table.csv.tmp{other.pid}.csv"
        left.write_text("half of the n")
        files.write_text(tmp_path / "table.csv", "new\n")
        assert left.exists()
        other.communicate()
    files.write_text(tmp_path / "table.csv", "newer\n")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("number", ["1", str(os.getppid())])
def test_a_process_that_runs_is_known_by_its_number_whosever_it_is(tmp_path, number):
    (tmp_path / f".table.csv.tmp{number}.csv").write_text("half of the n")
    files.write_text(tmp_path / "table.csv", "new\n")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "name", [".other.csv.tmp123.csv", ".table.csv", "table.csv.tmp123.csv", ".atable.csv.tmp123.csv"]
)
def test_files_of_other_names_are_left_alone(tmp_path, name):
    (tmp_path / name).write_text("another's")
    files.write_text(tmp_path / "table.csv", "new\n")
    assert (tmp_path / name).read_text() == "another's"


def test_a_file_is_on_disk_before_it_has_its_name_and_the_name_after(tmp_path, monkeypatch):
    done = []
    for module, call in ((os, "fsync"), (os, "replace"), (files, "_sync_folder")):
        original = getattr(module, call)

        def recorded(*arguments, original=original, call=call):
            done.append(call)
            return original(*arguments)

        monkeypatch.setattr(module, call, recorded)
    files.write_text(tmp_path / "table.csv", "new\n")
    assert done == ["fsync", "replace", "_sync_folder", "fsync"]


def test_a_folder_in_its_place_is_an_error_that_names_it(tmp_path):
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(ArtefactError, match="table.csv"):
        files.write_text(tmp_path / "table.csv", "new\n")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


WORDS = ["None", "NA", "null", "NaN", "n/a", "nan", "#N/A", "True", "-"]


def test_words_stay_words_and_an_empty_cell_has_no_value(tmp_path):
    table = pd.DataFrame({"word": [*WORDS, None], "number": [*range(len(WORDS)), np.nan]})
    files.write_csv(tmp_path / "table.csv", table)
    read = files.read_csv(tmp_path / "table.csv")
    assert read["word"].tolist()[:-1] == WORDS and read["word"].isna().tolist() == [False] * len(WORDS) + [True]
    assert np.array_equal(read["number"], table["number"], equal_nan=True)


@pytest.mark.parametrize("cell", ["NA", "None", "nan", "", "much"])
def test_a_word_or_nothing_among_numbers_is_no_number(tmp_path, cell):
    (tmp_path / "table.csv").write_text(f"a,x\none,1\ntwo,{cell}\n")
    with pytest.raises(ArtefactError, match="not a finite number"):
        files.read_csv(tmp_path / "table.csv", ["a"], ["x"])
