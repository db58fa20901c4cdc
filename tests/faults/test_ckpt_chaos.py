"""ckpt-chaos, which others wrote, kills each training command around its saves and judges what the next run makes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import injection
from faults_helpers import SIZES, train_line
from workflow_helpers import ROOT

pytest.importorskip("ckpt_chaos")
OPTIMISER = {"batch": 2, "learning_rate": 1e-3}
BALANCE = OPTIMISER | {"aux_weight": 0.01, "steps": 8, "checkpoint_steps": 2, "val_batches": 2}
COMMON = "--seed 7 --draws own --device cpu --corpus prepared/corpus.safetensors".split()
OUTPUTS = ["--out-rows", "{out}/run.csv", "--out-weights", "{out}/run.safetensors"]
TRAINING = "import sys; from faults_helpers import main; sys.exit(main(sys.argv[1:]))"
LINES = {
    "train_race": train_line("moe", folder="{out}"),
    "train_isoflop": [
        *"mixtral.train_isoflop --arm moe --width 16 --budgets [0.25,0.5,1] --race-budget 5e6".split(),
        *[*COMMON, "--model", json.dumps(SIZES), "--training", json.dumps(OPTIMISER), *OUTPUTS],
    ],
    "train_router_balance": [
        *"mixtral.train_router_balance --arm with_aux --out-routing {out}/routing.safetensors".split(),
        *[*COMMON, "--model", json.dumps(SIZES), "--training", json.dumps(BALANCE), *OUTPUTS],
    ],
}
# Programs that do it wrong: they sum up, and save on the way what {save} and {load} say.
WRONG = """
import json, os, re, sys
from pathlib import Path
out = Path(sys.argv[1])
out.mkdir(exist_ok=True)
state, steps = out / "state", []
def save(text):
    {save}
if state.exists():
    steps = {load}
while len(steps) < 6:
    steps.append(10 + len(steps))
    save(json.dumps(steps))
(out / "run.csv").write_text(str(sum(steps)))
state.unlink()
"""
IN_PLACE = "state.write_text(text)"
TO_A_NAME_OF_ITS_OWN = "(out / f'state{os.getpid()}').write_text(text); os.replace(out / f'state{os.getpid()}', state)"
WRONGS = {
    "in place, and cannot read a part": (IN_PLACE, "json.loads(state.read_text())", "HARD_FAIL"),
    "in place, and takes a part for whole": (
        IN_PLACE,
        "[int(number) for number in re.findall('[0-9]+', state.read_text())]",
        "SILENT_DIVERGENCE",
    ),
    "leaves what a killed run began": (TO_A_NAME_OF_ITS_OWN, "json.loads(state.read_text())", "SILENT_DIVERGENCE"),
}


def judged(folder: Path, line: list[str], points: int) -> tuple[subprocess.CompletedProcess, int]:
    """The judge's word on a command line in which {out} is its folder, and how many kills it is about."""
    judge = [sys.executable, "-m", "ckpt_chaos", "run", "--work", str(folder), "--max-points", str(points)]
    # Every file that is left, by its name and content: no state of a run that is over, and nothing half-written.
    judge += ["--result-cmd", "sh -c 'cd {out} && ls -A && sha256sum $(ls -A)'", "--", *line]
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests/helpers")])
    done = subprocess.run(judge, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True)
    planned = events(folder / "reference")
    tries = [path for path in folder.glob("pt_[0-9]*") if (path / "result.json").is_file()]
    for each in tries:
        result = json.loads((each / "result.json").read_text())
        at = result["point"][0]
        # The judge's own `drift` is no measure: names of temporary files hold the process's number, and always differ.
        assert result["crashed"] and events(each) == planned[:at], result["label"]
    return done, len(tries)


def events(folder: Path) -> list[str]:
    """What a run did to files, in its order."""
    return [re.sub(r"(state|\.tmp)\d+", r"\1", line) for line in (folder / "events.log.rank0").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(36000)
@pytest.mark.fault("ckpt-chaos: killed before a file event, or file cut in half", "a training")
@pytest.mark.parametrize("name", LINES)
def test_no_kill_around_a_save_makes_another_result(folder, tmp_path, survived, name):
    points = 200 if os.environ.get(injection.ALL) else 3  # of some 20 to 50 kills; each starts Python and torch twice
    done, tries = judged(tmp_path / "judge", [sys.executable, "-c", TRAINING, *LINES[name]], points)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tries >= 3, done.stdout
    survived(tries, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONGS)
def test_the_judge_finds_a_program_that_does_not_save_as_ours_do(tmp_path, name):
    save, load, verdict = WRONGS[name]
    program = WRONG.format(save=save, load=load)
    done, tries = judged(tmp_path / "judge", [sys.executable, "-c", program, "{out}"], 6)
    assert tries == 6 and done.returncode != 0, done.stdout + done.stderr
    assert verdict in done.stdout
