"""The one boundary: short messages, exit codes per family, JSON lines, and a quick --help."""

import json
import subprocess
import sys

import numpy
import pytest
import torch

from postproof import cli
from postproof.core import errors, files


def families() -> list[type[errors.PostproofError]]:
    return [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.PostproofError)
    ]


def test_families_have_names_and_exit_codes_of_their_own():
    assert len({cls.family for cls in families()}) == len({cls.exit_code for cls in families()}) == len(families())


@pytest.mark.parametrize("cls", families())
def test_an_error_becomes_a_message_a_code_and_a_line_with_its_cause(cls, tmp_path, capsys):
    def fail():
        try:
            json.loads("{")
        except ValueError as cause:
            raise cls("it went wrong", file="a.csv", value=3, remedy="mend it") from cause

    with pytest.raises(cls) as caught:
        fail()
    log = tmp_path / "logs" / "job.log"
    assert cli.report(caught.value, log) == cls.exit_code
    message = capsys.readouterr().err
    assert all(
        part in message for part in (cls.family, "it went wrong", "file: a.csv", "value: 3", "mend it", "Expecting")
    )
    record = json.loads(log.read_text())
    assert record["family"] == cls.family and record["context"] == {"file": "a.csv", "value": "3"}
    assert record["causes"][0].startswith("JSONDecodeError")


def reported(fail, log) -> dict:
    """The line in the log of what `fail` raises."""
    try:
        fail()
    except Exception as error:
        code = cli.report(error, log)
    [record] = map(json.loads, log.read_text().splitlines())
    assert record["exit_code"] == code
    return record


def test_an_unexpected_error_is_called_a_bug(tmp_path, capsys):
    record = reported(lambda: [][1], tmp_path / "log")
    assert (record["family"], record["exit_code"]) == ("bug", errors.BUG_EXIT_CODE)
    assert "bug" in capsys.readouterr().err and record["message"] == "IndexError: list index out of range"


def test_the_line_has_the_fields_of_opentelemetry_and_the_trace_every_cause(tmp_path):
    def fail():
        try:
            try:
                {}["first"]
            except KeyError as first:
                raise OSError("second") from first
        except OSError as second:
            raise errors.DataError("third") from second

    record = reported(fail, tmp_path / "log")
    assert record["exception.type"] == "postproof.core.errors.DataError" and record["exception.message"] == "third"
    assert record["causes"] == ["OSError: second", "KeyError: 'first'"]
    trace = record["exception.stacktrace"]
    assert trace.index("KeyError: 'first'") < trace.index("OSError: second") < trace.index("DataError: third")
    assert trace.count("Traceback (most recent call last)") == 3
    builtin = reported(lambda: [][1], tmp_path / "another")
    assert builtin["exception.type"] == "IndexError" and "[][1]" in builtin["exception.stacktrace"]


def test_what_was_being_handled_is_a_cause_unless_it_is_denied(tmp_path):
    def fail(**denied):
        try:
            {}["first"]
        except KeyError:
            if denied:
                raise errors.DataError("second") from None
            raise errors.DataError("second")  # noqa: B904

    assert reported(fail, tmp_path / "a")["causes"] == ["KeyError: 'first'"]
    assert reported(lambda: fail(denied=True), tmp_path / "b")["causes"] == []


@pytest.mark.parametrize(
    "fail",
    [lambda: bytearray(1 << 62), lambda: numpy.ones(1 << 50), lambda: torch.ones(1 << 60)],
    ids=["python", "numpy", "torch"],
)
def test_a_machine_without_memory_is_no_bug(fail, tmp_path, capsys):
    record = reported(fail, tmp_path / "log")
    assert record["family"] == "resource" and record["causes"] and record["remedy"]
    assert "out of memory" in capsys.readouterr().err and "Error" in record["exception.stacktrace"]


def test_a_wrong_line_is_a_usage_error_with_a_line_in_the_log(tmp_path, capsys):
    assert cli.main(["--log", str(tmp_path / "log"), "plan", "--jsno"]) == errors.UsageError.exit_code
    [record] = map(json.loads, (tmp_path / "log").read_text().splitlines())
    assert record["family"] == "usage" and "--jsno" in record["message"] and "--json" in record["context"]["usage"]
    assert cli.main(["--mode", "slow", "plan"]) == errors.UsageError.exit_code
    assert "`postproof --help`" in capsys.readouterr().err


@pytest.mark.parametrize("line", [["nonsense"], ["errors"], ["mixtral.model"]])
def test_what_is_no_command_is_a_usage_error(line, capsys):
    assert cli.main(line) == 2
    assert "no command" in capsys.readouterr().err


def test_help_lists_every_command_and_loads_no_numerical_library():
    script = "import sys; from postproof import cli; cli.commands(); print({'torch', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "set()"
    listing = cli.commands()
    assert {"mixtral.train_race", "mixtral.figures.race_train_loss", "claims.judge", "verify"} <= listing.keys()
    assert all(listing.values()), "every command says what it does"


def test_exact_mode_after_numpy_was_loaded_unpinned_is_refused():
    script = "import numpy; from postproof.core import exact; exact.pin()"
    clean = {name: value for name, value in __import__("os").environ.items() if name not in cli.exact.ENVIRONMENT}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=clean)
    assert done.returncode != 0 and "after a numerical library had been loaded" in done.stderr


def test_json_that_cannot_be_read_names_the_file(tmp_path):
    with pytest.raises(errors.ArtefactError, match="cannot read JSON"):
        files.read_json(tmp_path / "none.json")


def test_every_exit_code_is_told(capsys):
    assert cli.main(["why", "--exit-codes"]) == 0
    told = capsys.readouterr().out
    assert all(f"{cls.exit_code:>3}  {cls.family}: " in told for cls in families())
