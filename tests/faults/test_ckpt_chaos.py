"""ckpt-chaos, which others wrote, kills each training command around its saves and judges what the next run makes."""

import json
import os
import subprocess
import sys

import pytest

import injection
from faults_helpers import SIZES, train_line
from workflow_helpers import ROOT

OPTIMISER = {"batch": 2, "learning_rate": 1e-3}
BALANCE = OPTIMISER | {"aux_weight": 0.01, "steps": 8, "checkpoint_steps": 2, "val_batches": 2}
COMMON = "--seed 7 --draws own --device cpu --corpus prepared/corpus.safetensors".split()
OUTPUTS = ["--out-rows", "{out}/run.csv", "--out-weights", "{out}/run.safetensors"]
SCRIPT = "import sys; from faults_helpers import main; sys.exit(main(sys.argv[1:]))"
LINES = {
    "train_race, dense": train_line("dense", folder="{out}"),
    "train_race, moe": train_line("moe", folder="{out}"),
    "train_isoflop": [
        *"mixtral.train_isoflop --arm moe --width 16 --budgets [0.25,0.5,1] --race-budget 5e6".split(),
        *[*COMMON, "--model", json.dumps(SIZES), "--training", json.dumps(OPTIMISER), *OUTPUTS],
    ],
    "train_router_balance": [
        *"mixtral.train_router_balance --arm with_aux --out-routing {out}/routing.safetensors".split(),
        *[*COMMON, "--model", json.dumps(SIZES), "--training", json.dumps(BALANCE), *OUTPUTS],
    ],
}


def points() -> int:
    """How many kills: a run of each command makes some 60 file events."""
    return 200 if os.environ.get(injection.ALL) else 4


@pytest.mark.slow
@pytest.mark.timeout(36000)
@pytest.mark.fault("ckpt-chaos: killed before a file event, or file cut in half", "a training")
@pytest.mark.parametrize("name", LINES)
def test_no_kill_around_a_save_makes_another_result(folder, tmp_path, survived, name):
    line = [sys.executable, "-m", "ckpt_chaos", "run", "--work", str(tmp_path / "judge"), "--max-points", str(points())]
    # Every file that is left, by its name and content: no state of a run that is over, and nothing half-written.
    line += ["--result-cmd", "sh -c 'cd {out} && ls -A && sha256sum $(ls -A)'"]
    line += ["--", sys.executable, "-c", SCRIPT, *LINES[name]]
    helpers = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests/helpers")])
    done = subprocess.run(line, env=os.environ | {"PYTHONPATH": helpers}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    tries = [json.loads(path.read_text()) for path in (tmp_path / "judge").glob("pt_[0-9]*/result.json")]
    assert tries and all(each["crashed"] and not each["drift"] for each in tries), done.stdout
    survived(len(tries), name)
