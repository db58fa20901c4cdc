"""DVC's reading of params.yaml is kept as long as the file stays as it is."""

import os

import pytest

from postproof.engines import dvc_state


@pytest.fixture
def reads(monkeypatch):
    """DVC's module with the paths that were really read."""
    from dvc.dependency import param

    real, paths = param.load_path, []

    def counted(path, fs, **options):
        paths.append(path)
        return real(path, fs, **options)

    monkeypatch.setattr(param, "load_path", counted)
    dvc_state.read_params_once()
    dvc_state.read_params_once()
    return param, paths


def test_a_file_is_read_once_until_it_changes(reads, tmp_path):
    from dvc.fs import LocalFileSystem

    (param, paths), file, fs = reads, tmp_path / "params.yaml", LocalFileSystem()
    file.write_text("a: {b: 1}\nc: 2\n")
    for _ in range(3):
        assert param.read_param_file(fs, str(file), ["a.b", "c"], flatten=True) == {"a.b": 1, "c": 2}
    assert len(paths) == 1
    before = file.stat().st_mtime_ns
    file.write_text("a: {b: 3}\nc: 2\n")
    os.utime(file, ns=(before + 1, before + 1))
    assert param.read_param_file(fs, str(file), ["a.b", "c"], flatten=True) == {"a.b": 3, "c": 2}
    assert len(paths) == 2


def test_what_is_no_local_file_is_left_to_dvc(reads, tmp_path):
    from dvc.fs import MemoryFileSystem

    (param, paths), fs = reads, MemoryFileSystem(global_store=False)
    fs.fs.pipe_file("/params.yaml", b"a: 1\n")
    for _ in range(2):
        assert param.read_param_file(fs, "/params.yaml", ["a"], flatten=True) == {"a": 1}
    assert len(paths) == 2
