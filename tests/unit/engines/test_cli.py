"""The one boundary: short messages, exit codes per family, JSON lines, and a quick --help."""

import json
import subprocess
import sys

import pytest

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


def test_an_unexpected_error_is_called_a_bug_and_keeps_its_traceback(tmp_path, capsys):
    try:
        [][1]
    except IndexError as error:
        assert cli.report(error, tmp_path / "log") == cli.BUG_EXIT_CODE
    assert "bug" in capsys.readouterr().err and "IndexError" in (tmp_path / "log").read_text()


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
