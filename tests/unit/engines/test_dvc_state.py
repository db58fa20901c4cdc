"""DVC's reading of params.yaml is kept as long as the file stays as it is; what it writes is whole or not there."""

import json
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


def test_a_key_gives_what_dvc_finds_without_a_look_at_the_rest(reads, tmp_path, monkeypatch):
    """DVC looks at every value for each key: with a run for each of N seeds, N times N of them."""
    import dpath
    from dvc.dependency.param import read_param_file
    from dvc.fs import LocalFileSystem

    file, fs, walked = tmp_path / "params.yaml", LocalFileSystem(), []
    file.write_text("a: {b: {c: 1}, list: [4, 5], 7: 8, x.y: 9, '*': 3, none: null}\nd-e: [6]\n")
    keys = ["a.b", "a.b.c", "a.list", "a.list.1", "a.7", "a.none", "d-e", "a.b.c.none", "nothing", "a.x.y", "b"]
    by_dvc = {}
    for key in keys:
        try:
            by_dvc[key] = dpath.get(reads[0].load_path(str(file), fs), key, separator=".")
        except KeyError:
            pass
    assert read_param_file(fs, str(file), keys, flatten=True) == by_dvc and "a.list.1" in by_dvc
    monkeypatch.setattr(dpath.segments, "walk", lambda *arguments: walked.append(arguments) or iter(()))
    assert read_param_file(fs, str(file), ["a.b.c", "d-e"], flatten=True) == {"a.b.c": 1, "d-e": [6]}
    assert not walked


def test_what_is_no_local_file_is_left_to_dvc(reads, tmp_path):
    from dvc.fs import MemoryFileSystem

    (param, paths), fs = reads, MemoryFileSystem(global_store=False)
    fs.fs.pipe_file("/params.yaml", b"a: 1\n")
    for _ in range(2):
        assert param.read_param_file(fs, "/params.yaml", ["a"], flatten=True) == {"a": 1}
    assert len(paths) == 2


def test_yaml_that_dvc_writes_takes_its_place_when_it_is_whole(tmp_path):
    from dvc.fs import LocalFileSystem
    from dvc.utils import serialize

    dvc_state.write_whole()
    dvc_state.write_whole()
    path = tmp_path / "dvc.lock"
    for write in (serialize.dump_yaml, lambda path, content, fs: modified(serialize, path, content, fs)):
        write(path, {"a": 1}, fs=LocalFileSystem())
        assert path.read_text() == "a: 1\n"
        with pytest.raises(Exception, match="represent"):
            write(path, {"a": [2] * 100_000 + [object()]}, fs=LocalFileSystem())
        assert path.read_text() == "a: 1\n" and list(tmp_path.iterdir()) == [path]


def modified(serialize, path, content, fs):
    with serialize.modify_yaml(path, fs=fs) as found:
        found.update(content)


@pytest.mark.parametrize("torn", ["", '{"read": {"a', "[]"])
def test_a_torn_list_of_files_in_use_is_begun_anew_and_a_whole_one_is_kept(tmp_path, torn):
    from dvc import rwlock
    from dvc.fs import LocalFileSystem

    dvc_state.mend_locks()
    dvc_state.mend_locks()
    used = {"read": {"params.yaml": [{"pid": os.getpid(), "cmd": "dvc"}]}, "write": {}}
    for content, known in ((torn, {}), (json.dumps(used), used["read"])):
        (tmp_path / rwlock.RWLOCK_FILE).write_text(content)
        with rwlock._edit_rwlock(str(tmp_path), LocalFileSystem(), False) as found:
            assert found["read"] == known
        assert json.loads((tmp_path / rwlock.RWLOCK_FILE).read_text())["read"] == known
