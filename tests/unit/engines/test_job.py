"""A job is what it is made of, and its outputs count only if that stayed as it was."""

import argparse
import importlib.metadata
import json
from pathlib import Path

import pytest

from postproof import cli
from postproof.core.errors import EngineError, UsageError
from postproof.engines import codegraph, job, receipts

COMMAND = "post.copy"
CODE, INPUT, OUTPUT = codegraph.path_of(COMMAND), Path("in.txt"), Path("out.txt")
LINE = [COMMAND, "--out", "out.txt"]
SOURCE = "def add_arguments(parser):\n    pass\n\n\ndef main(args):\n    return 1\n"
KEY = {
    "line": ["post.copy", "--seed", "7"],
    "code": "c0de",
    "inputs": {"in.txt": "1", "other.txt": "2"},
    "mode": "exact",
}


@pytest.fixture
def ran(tmp_path, monkeypatch) -> list[str]:
    """A checkout with one command, which copies its input; keys of the jobs that ran."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(codegraph, "ROOT", tmp_path)
    source = tmp_path / "src/postproof/post/copy.py"
    source.parent.mkdir(parents=True)
    source.write_text(SOURCE)
    plan(tmp_path)
    INPUT.write_text("one\n")
    keys = []

    def run(name, arguments, mode, log, made_of) -> int:
        assert [name, *arguments] == LINE
        OUTPUT.write_text(INPUT.read_text())
        keys.append(made_of)
        return 0

    monkeypatch.setattr(cli, "run", run)
    return keys


def plan(root: Path) -> None:
    codegraph.refresh(root, codegraph.Sources.read(root))


def install(monkeypatch, **versions: str) -> None:
    """These versions of libraries, beside those that are there."""
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: versions.get(name) or version(name))


def start(*options: str, mode: str = "exact", line: list[str] = LINE) -> int:
    parser = argparse.ArgumentParser()
    job.add_arguments(parser)
    named = ["--code", str(CODE), "--reads", str(CODE), str(INPUT), "--makes", str(OUTPUT), *options]
    args = parser.parse_args([*named, "--", *line])
    args.mode, args.log = mode, Path("job.log")
    return job.main(args)


def test_a_key_is_of_all_that_decides_the_bytes(monkeypatch):
    changes = [
        {},
        {"line": [*KEY["line"][:-1], "8"]},
        {"line": list(reversed(KEY["line"]))},
        {"code": "c0d3"},
        {"inputs": {"in.txt": "3", "other.txt": "2"}},
        {"inputs": {"in.txt": "1"}},
        {"inputs": {"moved.txt": "1", "other.txt": "2"}},
        {"inputs": {"in.txt": "2", "other.txt": "1"}},
        {"mode": "fast"},
    ]
    keys = [job.key_of(**KEY | change) for change in changes]
    for library in job.LIBRARIES:
        with monkeypatch.context() as patch:
            install(patch, **{library: "0.0"})
            keys.append(job.key_of(**KEY))
    with monkeypatch.context() as patch:
        patch.setitem(job.exact.ENVIRONMENT, "MKL_CBWR", "AVX2")
        keys.append(job.key_of(**KEY))
    assert len(set(keys)) == len(keys)


def test_a_key_is_of_nothing_else(monkeypatch):
    key = job.key_of(**KEY)
    assert key == job.key_of(**KEY | {"inputs": dict(reversed(KEY["inputs"].items()))})
    version = importlib.metadata.version("torch").partition("+")[0]
    install(monkeypatch, torch=f"{version}+cu130")  # the same bytes on the CPU
    assert key == job.key_of(**KEY)


def test_a_library_that_is_not_there_is_none_of_any_version(monkeypatch):
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert set(job.libraries().values()) == {None}


def test_a_job_runs_once_and_is_restored_from_then_on(ran):
    assert start() == 0 and receipts.is_made(ran[0], [OUTPUT])
    OUTPUT.unlink()
    assert start() == 0 and len(ran) == 1 and OUTPUT.read_text() == "one\n"
    first, second = [json.loads(line) for line in Path("job.log").read_text().splitlines() if '"end"' in line]
    assert not first["restored"] and first["peak_mb"] > 0 and second["restored"]


def test_another_input_is_another_job_and_the_first_comes_back(ran):
    start()
    INPUT.write_text("two\n")
    start()
    assert len(set(ran)) == 2 and OUTPUT.read_text() == "two\n"
    INPUT.write_text("one\n")
    start()
    assert len(ran) == 2 and OUTPUT.read_text() == "one\n"


@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_job_that_is_forced_runs(ran, monkeypatch, how):
    start()
    if how == "environment":
        monkeypatch.setenv(job.snakemake_state.ANEW, "yes")
    start(*(["--anew"] if how == "option" else []))
    assert len(ran) == 2


def test_a_fast_job_is_never_kept_and_always_runs(ran):
    start(mode="fast")
    start(mode="fast")
    assert len(ran) == 2 and receipts.outputs_of(ran[0]) == {} and not receipts.OUTPUTS.exists()


def test_a_job_that_fails_is_not_kept(ran, monkeypatch):
    monkeypatch.setattr(cli, "run", lambda *arguments, made_of: 12)
    assert start() == 12 and not receipts.JOBS.exists()


@pytest.mark.parametrize("what", ["code", "input"])
def test_a_job_under_whose_hands_something_changed_does_not_count(ran, monkeypatch, what):
    run = cli.run

    def change(*arguments, **named) -> int:
        code = run(*arguments, **named)
        changed = Path("src/postproof/post/copy.py") if what == "code" else INPUT
        changed.write_text(SOURCE.replace("1", "2"))
        return code

    monkeypatch.setattr(cli, "run", change)
    with pytest.raises(EngineError, match="was changed since this run was planned"):
        start()
    assert receipts.outputs_of(ran[0]) == {} and not receipts.is_made(ran[0], [OUTPUT])


def test_a_comment_under_its_hands_is_no_change(ran, monkeypatch):
    run = cli.run

    def comment(*arguments, **named) -> int:
        Path("src/postproof/post/copy.py").write_text(f"# A comment.\n{SOURCE}")
        return run(*arguments, **named)

    monkeypatch.setattr(cli, "run", comment)
    assert start() == 0 and receipts.is_made(ran[0], [OUTPUT])


def test_code_that_is_not_what_was_planned_does_not_run(ran, tmp_path):
    Path("src/postproof/post/copy.py").write_text(SOURCE.replace("1", "2"))
    with pytest.raises(EngineError, match="was changed"):
        start()
    plan(tmp_path)
    assert start() == 0 and len(ran) == 1


def test_code_of_which_there_is_no_record_does_not_run(ran):
    CODE.unlink()
    with pytest.raises(EngineError, match="no record of the code"):
        start()
    assert not ran


def test_an_input_that_its_job_did_not_make_so_does_not_run(ran):
    receipts.keep("earlier", [INPUT], {"command": ["post.earlier"]})
    INPUT.write_text("by hand\n")
    with pytest.raises(EngineError, match="not as its job made it"):
        start()
    assert not ran


def test_without_a_command_there_is_nothing_to_run(ran):
    with pytest.raises(UsageError, match="no command"):
        start(line=[])


def test_what_is_kept_says_what_it_was_made_of(ran):
    start()
    record = json.loads((receipts.JOBS / f"{ran[0]}.json").read_text())
    assert record["command"] == LINE and record["inputs"].keys() == {str(INPUT)}
    assert record["outputs"].keys() == {str(OUTPUT)}
