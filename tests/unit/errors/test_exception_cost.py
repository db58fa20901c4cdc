"""What is made of samples of raising and returning, and what stops before anything is measured."""

import json
import sys

import numpy as np
import pytest

from errors_helpers import PERCENTS, WAYS, samples
from postproof import cli
from postproof.core.errors import UsageError
from postproof.errors.measuring import exception_cost
from postproof.measuring import runner


@pytest.mark.parametrize(
    "exception, result, share",
    [
        ((10, 110), (20, 60), 100 * 10 / 60),  # 10 dearer at none, 50 cheaper at all
        ((10, 110), (60, 80), 100 * 50 / 80),
        ((10, 110), (5, 50), 0),
        ((10, 110), (20, 120), None),
    ],
)
def test_the_crossing_of_two_lines_is_where_they_cross(exception, result, share):
    table = exception_cost.summary(samples({"exception": exception, "result_passed": result} | {
        "plain": (1, 1), "result_checked": (1000, 1000)}))  # fmt: skip
    got = table.loc[table["way"] == "result_passed", "crossing_percent"].unique()
    assert len(got) == 1 and (np.isnan(got[0]) if share is None else got[0] == pytest.approx(share))


def test_a_table_has_each_case_once_with_its_spread():
    table = exception_cost.summary(samples())
    assert len(table) == len(WAYS) * len(PERCENTS) and not table.duplicated([*exception_cost.KEY, "way"]).any()
    assert (table["p25_seconds"] <= table["median_seconds"]).all() and (table["repeats"] == 6).all()
    assert (table["over_exception"][table["way"] == "exception"] == 1).all()
    low, high = table["crossing_low_percent"].dropna(), table["crossing_high_percent"].dropna()
    assert (low <= table["crossing_percent"].dropna()).all() and (high >= table["crossing_percent"].dropna()).all()


def test_a_process_that_never_saw_the_crossing_leaves_its_upper_end_open():
    assert exception_cost.ends([20.0, None, 10.0]) == (10.0, None)
    assert exception_cost.ends([20.0, 30.0]) == (20.0, 30.0) and exception_cost.ends([None]) == (None, None)


def test_this_interpreter_times_every_case_and_counts_what_fails():
    got = exception_cost.timed(sys.executable, (1, 3), (0, 50, 100), 1, 2)
    assert len(got) == 2 * 3 * len(WAYS) * 2 and (got["seconds"] > 0).all()
    assert set(got["way"]) == set(WAYS) and got["python"].nunique() == 1


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "print('no JSON')", "import nowhere"])
def test_an_interpreter_that_cannot_is_named(code, tmp_path):
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\n{code}\n")
    python.chmod(0o755)
    with pytest.raises(UsageError, match="cannot run what is timed") as caught:
        exception_cost.timed(str(python), (1,), (0,), 1, 1)
    assert caught.value.context["key"] == "--python"


def test_another_interpreter_than_cpython_is_refused(tmp_path):
    python = tmp_path / "python"
    told = json.dumps({"implementation": "PyPy", "python": "3.11.7", "samples": []})
    python.write_text(f"#!{sys.executable}\nprint({told!r})\n")
    python.chmod(0o755)
    with pytest.raises(UsageError, match="not a CPython"):
        exception_cost.timed(str(python), (1,), (0,), 1, 1)


def test_an_interpreter_that_is_given_twice_is_refused():
    with pytest.raises(UsageError, match="given twice"):
        exception_cost.measure(None, True, [sys.executable])


def test_an_interpreter_that_is_not_there_stops_before_anything_is_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner, "one", lambda *arguments: pytest.fail("measured before the arguments held"))
    to = ["--out", f"{tmp_path}/{{name}}/{{machine}}.csv", "--python", str(tmp_path / "none")]
    assert cli.main(["--mode", "fast", "measure", "exception_cost", "--tiny", *to]) == 2
    assert "no such interpreter" in capsys.readouterr().err


def test_the_command_is_recorded_without_the_folders_of_this_machine(tmp_path, monkeypatch):
    line = ["--mode", "fast", "measure", "exception_cost", "--tiny", "--out", f"{tmp_path}/{{name}}/{{machine}}.csv"]
    monkeypatch.setattr(sys, "argv", ["postproof", *line])
    assert cli.main([*line, "--machine", "here"]) == 0
    about = json.loads((tmp_path / "exception_cost/here.json").read_text())
    assert str(tmp_path) not in json.dumps(about) and "{machine}.csv" in about["command"]
