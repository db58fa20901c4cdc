"""The same bytes on other processors, emulated: needs qemu-user (Debian: apt-get install qemu-user).

An emulator is some fifty times slower and takes most of a minute to import torch, so each processor is one process that
runs one command after the other, the same way as a process on this machine's own: some minutes each, `make test-cpus`.
"""

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from postproof.core import exact, files, tables
from postproof.core.errors import EngineError
from postproof.engines import params
from postproof.mixtral.model import ARMS

ROOT = Path(__file__).parents[2]
PARAMS = params.load(ROOT / "params.yaml")
OF_MIXTRAL, OF_LLAMA2, OF_ATTENTION, OF_BANDITS = (
    PARAMS[post] for post in ("mixtral", "llama2", "attention", "bandits")
)
# The posted widths, so that the products take the kernels that real runs take; few layers, tokens and steps, since an
# emulator does multiply-adds one number at a time.
TOKENS = 32
MODEL = OF_MIXTRAL["model"] | dict(layers=1, sequence=TOKENS)
TRAINING = OF_MIXTRAL["optimiser"] | dict(batch=1, budget_flops=1.2e8, checkpoint_flops=1e8, val_batches=1)
CHARACTERS = 3000
RUNS = [*((arm, "own") for arm in ARMS), ("moe", "as_run")]
# Commands that make tables of rounding errors, the first to change where a processor rounds in another way, compiled
# loops and sparse solves: their sections, options for what else they read, and for the tables after the first.
TABLES = {
    "llama2.rope_check": ([OF_LLAMA2["head"], OF_LLAMA2["rope_check"] | dict(seeds=[0])], [], []),
    "llama2.rope_check_as_run": ([OF_LLAMA2["head"], OF_LLAMA2["rope_check"], OF_LLAMA2["rope_check_as_run"]], [], []),
    "llama2.norm_check": ([OF_LLAMA2["norm_check"] | dict(width=1024, tokens=4, seeds=[0])], [], []),
    "attention.attention_check": (
        [OF_ATTENTION["attention_check"] | dict(shapes=[[1, 8, 9, 9, 64]], seeds=[0], posted_seeds=[0])],
        [],
        ["--out-order"],
    ),
    "attention.softmax_scaling": (
        [OF_ATTENTION["softmax_scaling"] | dict(d_heads=[8, 64, 512], rows=100, keys=64, heads=[1, 8])],
        [],
        ["--out-heads"],
    ),
    "bandits.stationary": (
        [OF_BANDITS["testbed"] | dict(problems=20, steps=100), OF_BANDITS["agents"]],
        [],
        ["--out-scores", "--out-duels", "--out-tries"],
    ),
    "mdp.gridworld": ([PARAMS["mdp"]["gridworld"]], ["--printed", "data/published/mdp/gridworld.csv"], ["--out-moves"]),
}
FIRST = {"mdp.gridworld": "--out-values"}
# Curves, a map of colours, marks on a logarithmic axis.
CHARTS = ["mixtral.figures.race_val_perplexity", "attention.figures.head_entropy_heatmap", "llama2.figures.rope_theta"]
ONE_AFTER_THE_OTHER = """
import json, sys
from postproof import cli
for name, *arguments in json.load(sys.stdin):
    assert cli.run(name, arguments, "exact", None) == 0, name
"""


def run(emulator: list[str], commands: list[list[str]]) -> None:
    """Commands of ours, in one process. The emulator wraps the bare interpreter, not a script of a venv."""
    environment = {name: value for name, value in os.environ.items() if name not in exact.ENVIRONMENT}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), *filter(None, sys.path)])
    python = [*emulator, os.path.realpath(sys.executable), "-c", ONE_AFTER_THE_OTHER]
    done = subprocess.run(python, input=json.dumps(commands), env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def trainings(folder: Path, corpus: Path) -> Iterator[list[str]]:
    """Short runs, and what is read of the last model's heads."""
    for arm, draws in RUNS:
        rows, weights = (folder / draws / f"{arm}-seed7.{ending}" for ending in ("csv", "safetensors"))
        settings = ["--model", json.dumps(MODEL), "--training", json.dumps(TRAINING), "--corpus", str(corpus)]
        outputs = ["--out-rows", str(rows), "--out-weights", str(weights)]
        yield ["mixtral.train_race", "--arm", arm, "--seed", "7", "--draws", draws, *settings, *outputs]
    settings = ["--settings", json.dumps(OF_ATTENTION["head_runs"] | dict(positions=TOKENS, example_sentence=1))]
    settings += ["--model", json.dumps(MODEL), "--corpus-info", str(corpus.with_suffix(".json"))]
    inputs = ["--name", "race", "--weights", str(weights), "--sentences", str(corpus.with_name("sentences.csv"))]
    yield ["attention.heads.race_runs", *inputs, *settings, "--out", str(folder / "heads.safetensors")]


def checks(folder: Path) -> Iterator[list[str]]:
    for command, (sections, reads, more) in TABLES.items():
        options = [FIRST.get(command, "--out"), *more]
        outputs = [word for option in options for word in (option, str(folder / f"{command}{option}.csv"))]
        yield [command, "--settings", *map(json.dumps, sections), *reads, *outputs]


def charts(folder: Path) -> Iterator[list[str]]:
    """Of the committed tables."""
    for command in CHARTS:
        names = importlib.import_module(f"postproof.{command}").TABLES
        drawn = [str(ROOT / tables.path_of(name)) for name in names]
        out = [folder / f"{command}.{ending}" for ending in ("svg", "png")]
        yield [command, "--tables", *drawn, "--out-svg", str(out[0]), "--out-png", str(out[1])]


@pytest.fixture
def corpus(tmp_path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "text.txt").write_text("\n" + "".join(chr(97 + index * index % 23) for index in range(CHARACTERS)))
    (folder / "sentences.csv").write_text("kind,sentence\nletters,magicianbanned\nletters,imagine\n")
    corpus = folder / "corpus.safetensors"
    texts = ["--text", str(folder / "text.txt"), "--section", "mixtral.corpus", "--characters", str(CHARACTERS)]
    outputs = ["--out-arrays", str(corpus), "--out-info", str(corpus.with_suffix(".json"))]
    run([], [["data.prepare_corpus", *texts, "--train-fraction", "0.8", *outputs]])
    return corpus


def made(folder: Path, corpus: Path, emulator: list[str]) -> dict[str, str]:
    """Hashes of what the commands make, by path."""
    run(emulator, [*trainings(folder, corpus), *checks(folder), *charts(folder)])
    return {str(path.relative_to(folder)): files.sha256(path) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def qemu() -> str:
    return shutil.which("qemu-x86_64") or pytest.skip("qemu-x86_64 is not installed")


@pytest.mark.timeout(3000)
@pytest.mark.cpus
@pytest.mark.parametrize("processor", ["Haswell", "EPYC"])
def test_an_emulated_processor_gives_the_same_bytes(tmp_path, corpus, qemu, processor):
    places = {"here": [], processor: [qemu, "-cpu", processor]}
    with ThreadPoolExecutor() as at_once:  # each waits for a process of its own
        making = {place: at_once.submit(made, tmp_path / place, corpus, wrap) for place, wrap in places.items()}
        hashes = {place: of_place.result() for place, of_place in making.items()}
    tables_made = sum(1 + len(more) for _, _, more in TABLES.values())
    assert len(hashes["here"]) == 2 * len(RUNS) + 1 + tables_made + 2 * len(CHARTS)
    assert hashes[processor] == hashes["here"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("processor", ["Nehalem", "SandyBridge", "Haswell"])
def test_a_processor_without_avx2_is_refused_in_words_in_exact_mode(qemu, tmp_path, processor, mode):
    """Before NumPy is imported, which would end in an illegal instruction."""
    out = tmp_path / "norms.csv"
    settings = json.dumps(OF_LLAMA2["norm_check"] | dict(width=64, tokens=4, seeds=[0]))
    command = ["postproof", "--mode", mode, "llama2.norm_check", "--settings", settings, "--out", str(out)]
    environment = {name: value for name, value in os.environ.items() if name not in exact.ENVIRONMENT}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), *filter(None, sys.path)])
    line = [qemu, "-cpu", processor, os.path.realpath(sys.executable), "-m", *command]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, cwd=ROOT)
    if mode == "exact" and processor != "Haswell":
        assert done.returncode == EngineError.exit_code, done.stderr
        assert "missing: AVX2" in done.stderr and "mode=fast" in done.stderr and not out.exists()
    else:
        assert done.returncode == 0 and out.exists(), done.stderr
