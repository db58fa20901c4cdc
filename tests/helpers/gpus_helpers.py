"""Jobs of the toy that use a GPU, as far as engines know: none is needed."""

from __future__ import annotations

import json

HEAD = "def main(args) -> None:\n"
# One write for each event, so that no other job's comes between.
USES = """
    import os, time
    events = os.open("events", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    device = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.write(events, f"{device} taken\\n".encode())
    time.sleep(8)  # longer than another job takes to start on a machine that is busy
    os.write(events, f"{device} given\\n".encode())
"""


def let_walks_use_gpus(checkout) -> None:
    """Each walk of the toy asks for one GPU, as trainings do, and notes in the file `events` which it sees."""
    option = '    parser.add_argument("--out"'
    checkout.replace("src/postproof/toy/walk.py", option, f'    parser.add_argument("--device")\n{option}')
    checkout.replace("src/postproof/toy/walk.py", HEAD, HEAD + USES.strip("\n") + "\n")
    log = '    log:\n        f"logs/walk/'
    gpu = '    resources:\n        gpu=0 if config["device"] == "cpu" else 1,\n'
    checkout.replace("workflow/rules/toy.smk", log, gpu + log)
    steps = "--seed {wildcards.seed} --steps {params.steps}"
    checkout.replace("workflow/rules/toy.smk", steps, f"{steps} --device {{config[device]}}")


def events(checkout) -> list[list[str]]:
    """Pairs of a device and what was done: taken or given."""
    return [line.split() for line in (checkout.path / "events").read_text().splitlines()]


def logged(checkout, seed: int) -> list[str]:
    """The devices that stand in the log of a walk."""
    lines = (checkout.path / f"logs/walk/results-fast/{seed}.log").read_text().splitlines()
    [devices] = [record["devices"] for record in map(json.loads, lines) if record["event"] == "gpus"]
    return devices
