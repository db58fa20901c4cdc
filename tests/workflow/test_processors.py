"""The same bytes on other processors, emulated: needs qemu-user (Debian: apt-get install qemu-user)."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from postproof.core import exact, files
from postproof.engines import params
from postproof.mixtral.model import ARMS

ROOT = Path(__file__).parents[2]
PARAMS = params.load(ROOT / "params.yaml")
OF_MIXTRAL, OF_LLAMA2, OF_ATTENTION = PARAMS["mixtral"], PARAMS["llama2"], PARAMS["attention"]
# The posted widths, so that the products take the kernels that real runs take; fewer layers, tokens and steps.
MODEL = OF_MIXTRAL["model"] | dict(layers=1)
TRAINING = OF_MIXTRAL["optimiser"] | dict(batch=4, budget_flops=3e9, checkpoint_flops=1e9, val_batches=1)
CHARACTERS = 3000


# Commands that make tables of rounding errors, the first to change where a processor rounds in another way, with their
# sections and the options for a second table.
TABLES = {
    "llama2.rope_check": [OF_LLAMA2["head"], OF_LLAMA2["rope_check"] | dict(seeds=[0])],
    "llama2.rope_check_as_run": [OF_LLAMA2["head"], OF_LLAMA2["rope_check"], OF_LLAMA2["rope_check_as_run"]],
    "llama2.norm_check": [OF_LLAMA2["norm_check"] | dict(width=1024, tokens=4, seeds=[0])],
    "attention.attention_check": [
        OF_ATTENTION["attention_check"]
        | dict(shapes=[[1, 8, 9, 9, 64], [1, 2, 64, 64, 64]], seeds=[0], posted_seeds=[0, 1])
    ],
    "attention.softmax_scaling": [
        OF_ATTENTION["softmax_scaling"] | dict(d_heads=[8, 64, 512], rows=100, keys=64, heads=[1, 8])
    ],
}
SECOND = {"attention.attention_check": "--out-order", "attention.softmax_scaling": "--out-heads"}


def run(emulator: list[str], *arguments: str) -> None:
    """A command of ours. The emulator wraps the bare interpreter, not a script of a venv."""
    environment = {name: value for name, value in os.environ.items() if name not in exact.ENVIRONMENT}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), *filter(None, sys.path)])
    command = [*emulator, os.path.realpath(sys.executable), "-m", "postproof", *arguments]
    subprocess.run(command, check=True, env=environment, capture_output=True)


def emulator(processor: str) -> list[str]:
    qemu = shutil.which("qemu-x86_64")
    if qemu is None:
        pytest.skip("qemu-x86_64 is not installed")
    return [qemu, "-cpu", processor]


def train(arm: str, draws: str, folder: Path, corpus: Path, emulator: list[str]) -> list[str]:
    """Hashes of rows and weights of a short run, and of what is read of the trained model's heads."""
    rows, weights = folder / f"{arm}-seed7.csv", folder / f"{arm}-seed7.safetensors"
    settings = ["--model", json.dumps(MODEL), "--training", json.dumps(TRAINING), "--corpus", str(corpus)]
    outputs = ["--out-rows", str(rows), "--out-weights", str(weights)]
    run(emulator, "mixtral.train_race", "--arm", arm, "--seed", "7", "--draws", draws, *settings, *outputs)
    heads = folder / f"{arm}-heads.safetensors"
    sentences = folder / "sentences.csv"
    sentences.write_text("kind,sentence\nletters,magicianbanned\nletters,imagine\n")
    settings = ["--settings", json.dumps(OF_ATTENTION["head_runs"] | dict(example_sentence=1))]
    settings += ["--model", json.dumps(MODEL), "--corpus-info", str(corpus.with_suffix(".json"))]
    inputs = ["--name", "race", "--weights", str(weights), "--sentences", str(sentences)]
    run(emulator, "attention.heads.race_runs", *inputs, *settings, "--out", str(heads))
    return [files.sha256(path) for path in (rows, weights, heads)]


@pytest.mark.slow
@pytest.mark.timeout(3600)  # an emulator is some fifty times slower
@pytest.mark.parametrize("processor", ["Haswell", "EPYC"])
@pytest.mark.parametrize(("arm", "draws"), [*((arm, "own") for arm in ARMS), ("moe", "as_run")])
def test_an_emulated_processor_gives_the_same_bytes(arm, draws, processor, tmp_path):
    qemu = emulator(processor)
    (tmp_path / "text.txt").write_text("\n" + "".join(chr(97 + index * index % 23) for index in range(CHARACTERS)))
    corpus = tmp_path / "corpus.safetensors"
    texts = ["--text", str(tmp_path / "text.txt"), "--section", "mixtral.corpus", "--characters", str(CHARACTERS)]
    outputs = ["--out-arrays", str(corpus), "--out-info", str(corpus.with_suffix(".json"))]
    run([], "data.prepare_corpus", *texts, "--train-fraction", "0.8", *outputs)
    here = train(arm, draws, tmp_path / "here", corpus, [])
    assert train(arm, draws, tmp_path / processor, corpus, qemu) == here


@pytest.mark.slow
@pytest.mark.timeout(3600)  # an emulator is some fifty times slower
@pytest.mark.parametrize("processor", ["Haswell", "EPYC"])
@pytest.mark.parametrize("command", TABLES)
def test_an_emulated_processor_gives_the_same_table(command, processor, tmp_path):
    settings = ["--settings", *map(json.dumps, TABLES[command])]
    tables = {}
    for place, wrapper in {"here": [], "there": emulator(processor)}.items():
        paths = [tmp_path / f"{place}.csv", tmp_path / f"{place}-second.csv"][: 1 + (command in SECOND)]
        options = ["--out", str(paths[0])] + ([SECOND[command], str(paths[1])] if command in SECOND else [])
        run(wrapper, command, *settings, *options)
        tables[place] = [path.read_bytes() for path in paths]
    assert tables["there"] == tables["here"]
