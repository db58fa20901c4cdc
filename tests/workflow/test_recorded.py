"""Recorded runs: kept, compared byte for byte, and told apart when something of them changed."""

import argparse
import json

import pytest

from postproof.core import files
from postproof.core.errors import EngineError
from postproof.engines import recorded
from postproof.engines.verify import Outcome


@pytest.fixture
def root(tmp_path):
    """A project with two runs built, one of them with weights, and recorded."""
    built = tmp_path / "build/recorded/toy/walk"
    built.mkdir(parents=True)
    for run in ("fast-seed1", "slow-seed1"):
        (built / f"{run}.csv").write_text(f"step,value\n1,{len(run)}\n")
    (built / "fast-seed1.safetensors").write_bytes(b"weights")
    (built / "fast-seed1.counts.safetensors").write_bytes(b"counts")
    (built / "fast-seed1.resume.safetensors").write_bytes(b"left by a killed run")
    recorded.record(tmp_path, "toy")
    return tmp_path


def test_what_is_small_is_kept_and_of_weights_the_hash(root):
    kept = {path.relative_to(root / "data/recorded").as_posix() for path in (root / "data/recorded").rglob("*.*")}
    assert kept == {"toy/record.json", "toy/walk/fast-seed1.csv", "toy/walk/fast-seed1.counts.safetensors",
                    "toy/walk/slow-seed1.csv"}  # fmt: skip
    weights = files.sha256(root / "build/recorded/toy/walk/fast-seed1.safetensors")
    assert json.loads((root / "data/recorded/toy/record.json").read_text())["weights_sha256"] == {
        "toy/walk/fast-seed1": weights
    }


def test_every_file_and_the_weights_are_compared(root):
    runs = recorded.recorded_runs(root)
    assert runs == ["toy/walk/fast-seed1", "toy/walk/slow-seed1"]
    assert set(recorded.compare(root, runs).values()) == {Outcome.IDENTICAL}
    built = root / "build/recorded/toy/walk"
    (built / "fast-seed1.safetensors").write_bytes(b"others")
    (built / "slow-seed1.csv").write_text("step,value\n1,11\n")
    (built / "fast-seed1.counts.safetensors").unlink()
    assert recorded.compare(root, runs) == {
        "data/recorded/toy/walk/fast-seed1.counts.safetensors": Outcome.MISSING,
        "data/recorded/toy/walk/fast-seed1.csv": Outcome.IDENTICAL,
        "build/recorded/toy/walk/fast-seed1.safetensors": Outcome.DIFFERENT,
        "data/recorded/toy/walk/slow-seed1.csv": Outcome.DIFFERENT,
    }


def test_a_name_that_no_run_has_is_refused_before_any_work(root, monkeypatch):
    monkeypatch.chdir(root)
    parser = argparse.ArgumentParser()
    recorded.add_arguments(parser)
    with pytest.raises(EngineError, match="no recorded run") as error:
        recorded.main(parser.parse_args(["--runs", "toy/run/*"]))
    assert "toy/walk/fast-seed1" in str(error.value)
