"""Our Llama against transformers' on the real weights: seconds of a prompt's pass and of a decode step, one thread.

Both run in one process of fast mode, in which each has torch at its own speed, and are timed in turn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

from postproof.benchmarks.runner import Row, in_turns, ratios
from postproof.benchmarks.steps import say_left_out
from postproof.core import exact
from postproof.core.errors import EngineError

PROMPT_TOKENS = 64
TURNS = 20
NAMES = {phase: f"llama_{phase}_over_transformers_1t" for phase in ("prefill", "decode")}


def rows() -> Iterator[Row]:
    """Ratios, left out without the model or transformers. If ours were slower, a user had no reason to take it."""
    seconds = seconds_by_turn()
    if reason := seconds.get("left_out"):
        say_left_out(", ".join(NAMES.values()), reason)
        return
    for phase, name in NAMES.items():
        yield Row.of(name, ratios(seconds[phase]["ours"], seconds[phase]["transformers"]), 1)


def seconds_by_turn() -> dict:
    """Seconds by phase, implementation and turn; or `left_out`, the reason why there are none.

    Threads and pins have to be in the environment before NumPy and torch are imported, so a process of its own takes
    them. Raises EngineError when it fails; what went wrong stands on standard error by then.
    """
    environment = {name: value for name, value in os.environ.items() if name not in exact.ENVIRONMENT}
    environment |= {name: "1" for name in exact.ENVIRONMENT if name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-m", "postproof", "--mode", "fast", "benchmarks.llama"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        raise EngineError("our Llama and transformers' could not be timed", exit_code=done.returncode)
    return json.loads(done.stdout.splitlines()[-1])


def add_arguments(parser) -> None:
    pass


def main(args) -> None:
    """The other process's side."""
    import torch

    from postproof.llama2.measuring import llama_speed
    from postproof.measuring.timing import Unavailable

    device = torch.device("cpu")
    try:
        ours, theirs, prompts = llama_speed.real_models(device)
    except Unavailable as error:
        print(json.dumps({"left_out": error.message}))
        return
    seconds = {}
    for phase, made in llama_speed.makers(ours, theirs, prompts, PROMPT_TOKENS).items():
        seconds[phase] = in_turns({name: make() for name, make in made.items()}, TURNS, untimed=2)
    print(json.dumps(seconds))
