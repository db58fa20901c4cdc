"""What is known of a job and its outputs: it is taken at its bytes' word, never at a file's name or date."""

import os
import subprocess
from pathlib import Path

import pytest

from postproof.core import files
from postproof.core.errors import ArtefactError, EngineError
from postproof.engines import receipts

TABLE, CHART = Path("results/post/metrics/walk.csv"), Path("results/post/figures/walk.png")
MAKES = [TABLE, CHART]
MADE_OF = {"command": ["post.walk", "--seed", "7"]}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(key: str = "one", table: bytes = b"1\n", chart: bytes = b"picture") -> None:
    """A job's outputs, written and kept."""
    put(TABLE, table)
    put(CHART, chart)
    receipts.keep(key, MAKES, MADE_OF)


def put(path: Path, content: bytes) -> None:
    """Another content at another time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_bytes(content)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def cached(content: bytes) -> Path:
    put(Path("content"), content)
    digest = files.md5("content")
    return receipts.CACHE / digest[:2] / digest[2:]


def test_what_a_job_made_is_known_by_its_key_and_kept_by_content():
    made()
    assert receipts.is_made("one", MAKES) and not receipts.is_made("two", MAKES)
    assert receipts.outputs_of("one") == {str(path): files.md5(path) for path in MAKES}
    assert cached(b"1\n").read_bytes() == b"1\n" and not cached(b"1\n").stat().st_mode & 0o222
    assert files.read_json(receipts.JOBS / "one.json")["command"] == MADE_OF["command"]


def test_an_output_that_is_not_there_is_an_error_and_nothing_is_known_of_the_job():
    put(TABLE, b"1\n")
    with pytest.raises(ArtefactError, match="walk.png"):
        receipts.keep("one", MAKES, MADE_OF)
    assert receipts.outputs_of("one") == {} and not receipts.is_made("one", MAKES)


@pytest.mark.parametrize("makes", [[TABLE], [*MAKES, Path("other.csv")], [TABLE, Path("other.csv")]])
def test_a_job_of_other_outputs_is_not_known(makes):
    made()
    put(Path("other.csv"), b"1\n")
    assert not receipts.is_made("one", makes) and not receipts.restore("one", makes)


def test_what_is_lost_or_changed_is_restored():
    made()
    TABLE.unlink()
    put(CHART, b"another")
    assert not receipts.is_made("one", MAKES) and receipts.altered(Path.cwd()) == [str(CHART)]
    assert receipts.restore("one", MAKES)
    assert TABLE.read_bytes() == b"1\n" and CHART.read_bytes() == b"picture"
    assert receipts.is_made("one", MAKES) and receipts.altered(Path.cwd()) == []


def test_a_restored_file_can_be_written_and_is_no_link_to_its_copy():
    made()
    TABLE.unlink()
    receipts.restore("one", MAKES)
    put(TABLE, b"2\n")
    assert cached(b"1\n").read_bytes() == b"1\n"


@pytest.mark.parametrize("damage", [b"", b"1", b"2\n", None])
def test_what_has_no_whole_copy_is_not_restored_and_nothing_is_touched(damage):
    made()
    copy = cached(b"1\n")
    copy.chmod(0o644)
    copy.unlink() if damage is None else copy.write_bytes(damage)
    put(TABLE, b"another\n")
    put(CHART, b"another")
    assert not receipts.restore("one", MAKES)
    assert TABLE.read_bytes() == b"another\n" and CHART.read_bytes() == b"another"


def test_a_damaged_copy_is_made_whole_when_the_job_has_run_again():
    made()
    copy = cached(b"1\n")
    copy.chmod(0o644)
    copy.write_bytes(b"damaged")
    made()
    TABLE.unlink()
    assert receipts.restore("one", MAKES) and TABLE.read_bytes() == b"1\n"


def test_files_in_place_need_no_copy():
    made()
    cached(b"1\n").unlink()
    assert receipts.restore("one", MAKES)


@pytest.mark.parametrize("record", ["", "{", "[]", "3", '{"outputs": 3}', '{"outputs": {}}', "{}"])
def test_a_record_that_cannot_be_read_is_none(record):
    made()
    (receipts.JOBS / "one.json").write_text(record)
    assert not receipts.is_made("one", MAKES) and not receipts.restore("one", MAKES)


@pytest.mark.parametrize("receipt", ["", "{", "[]", "3", '{"made": [], "size": 2, "mtime_ns": 1}', '{"made": 1}'])
def test_a_receipt_that_cannot_be_read_is_none(receipt):
    made()
    (receipts.OUTPUTS / f"{TABLE}.json").write_text(receipt)
    put(TABLE, b"2\n")
    assert receipts.altered(Path.cwd()) == [] and receipts.md5_of_input(TABLE) == files.md5(TABLE)
    assert not receipts.is_made("one", MAKES)


def test_the_bytes_count_and_not_the_time():
    made()
    os.utime(TABLE, ns=(5, 5))
    assert receipts.is_made("one", MAKES) and receipts.altered(Path.cwd()) == []
    assert receipts.md5_of_input(TABLE) == files.md5(TABLE)


def test_older_bytes_are_altered_but_an_input():
    """DVC may have put them there; what its job makes now is another matter."""
    made()
    old = files.md5(TABLE)
    made("two", table=b"2\n")
    put(TABLE, b"1\n")
    assert receipts.altered(Path.cwd()) == [str(TABLE)]
    assert receipts.md5_of_input(TABLE) == old
    assert receipts.is_made("one", MAKES) and not receipts.is_made("two", MAKES)
    assert receipts.restore("one", MAKES) and receipts.altered(Path.cwd()) == []


def test_two_jobs_that_gave_the_same_bytes_are_both_made():
    made()
    made("two")
    assert receipts.is_made("one", MAKES) and receipts.is_made("two", MAKES)


def test_a_file_that_no_job_made_is_an_input_and_nobodys_work():
    put(TABLE, b"1\n")
    assert receipts.md5_of_input(TABLE) == files.md5(TABLE)
    assert receipts.altered(Path.cwd()) == []


@pytest.mark.parametrize("content", [b"", b"2\n", b"1\n1\n"])
def test_an_input_that_was_changed_is_refused(content):
    made()
    put(TABLE, content)
    with pytest.raises(EngineError, match="not as its job made it"):
        receipts.md5_of_input(TABLE)
    assert receipts.altered(Path.cwd()) == [str(TABLE)]


@pytest.mark.parametrize("lost", [TABLE, Path("data/never.txt"), Path("results")])
def test_an_input_that_is_not_there_is_refused(lost):
    made()
    TABLE.unlink()
    with pytest.raises(EngineError, match="not there"):
        receipts.md5_of_input(lost)
    assert receipts.altered(Path.cwd()) == [], "Snakemake sees by itself what is not there"


def test_outputs_are_found_from_elsewhere(folder, tmp_path, monkeypatch):
    made()
    put(TABLE, b"2\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert receipts.altered(folder) == [str(TABLE)] and Path.cwd() == tmp_path / "elsewhere"


def test_what_a_killed_write_began_in_the_cache_is_removed_and_what_a_running_one_does_is_left():
    gone, runs = subprocess.Popen(["true"]), os.getppid()
    gone.wait()
    made()
    lefts = [copy.with_name(f".{copy.name}.tmp{gone.pid}") for copy in (cached(b"1\n"), cached(b"picture"))]
    running = cached(b"picture").with_name(f".{cached(b'picture').name}.tmp{runs}")
    for path in (*lefts, running):
        path.write_bytes(b"par")
    made(chart=b"another picture")
    assert [left.exists() for left in lefts] == [False, True], "of what is put there again"
    receipts.remove_leftovers(receipts.CACHE)
    assert running.exists() and not any(left.exists() for left in lefts) and cached(b"1\n").read_bytes() == b"1\n"
    receipts.remove_leftovers(Path("nowhere"))


@pytest.mark.parametrize("part", [b"", b"1", None])
def test_a_copy_of_which_a_power_cut_left_a_part_is_made_whole(part):
    put(TABLE, b"1\n")
    copy = cached(b"1\n")
    if part is not None:
        put(copy, part)
        copy.chmod(0o444)
    receipts.put_in_cache(TABLE, files.md5(TABLE))
    assert copy.read_bytes() == b"1\n" and copy.stat().st_mode & 0o777 == 0o444


def test_where_nothing_may_be_written_files_are_still_told_apart(monkeypatch):
    made()
    os.utime(TABLE, (1, 1))
    put(CHART, b"another picture")

    def refuse(path, content):
        raise ArtefactError("cannot write", file=path)

    monkeypatch.setattr(files, "write_json", refuse)
    assert receipts.altered(Path()) == [CHART.as_posix()]


def test_a_damaged_copy_is_dropped_with_the_file_that_was_made_of_it_and_no_other():
    made()
    digest = files.md5(TABLE)
    assert receipts.is_cached(digest) and not receipts.drop_damaged(TABLE, digest)
    copy = receipts.cache_file(digest)
    copy.chmod(0o644)
    copy.write_bytes(b"damaged")
    put(TABLE, b"my own")
    assert not receipts.is_cached(digest) and receipts.drop_damaged(TABLE, digest)
    assert not copy.exists() and TABLE.read_bytes() == b"my own"
    copy.write_bytes(b"damaged")
    put(TABLE, b"damaged")
    assert receipts.drop_damaged(TABLE, digest) and not TABLE.exists()
