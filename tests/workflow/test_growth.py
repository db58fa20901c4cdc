"""With more runs each command opens more files in proportion, and no faster: counted, since seconds would flake.

What it costs in seconds and memory: tests/helpers/growth.py, and docs/scale.md.
"""

import sys

import pytest
from growth import grown

RUNS = (4, 8, 12)
# A quadratic part of the count grows 1.67 times as much from 8 to 12 as from 4 to 8, a linear one as much.
MOST = 1.2
COUNT = """
import collections, os, runpy, sys
opened = collections.Counter()
here = os.getcwd()
def count(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        opened[os.path.relpath(os.path.join(here, os.fsdecode(arguments[0])), here)] += 1
sys.addaudithook(count)
module, sys.argv = sys.argv[1], sys.argv[1:]
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert end.code in (0, None), end.code
ours = ("results/", "data/", ".postproof/", ".snakemake/", ".dvc/")
print("OPENED", sum(number for path, number in opened.items() if path.startswith(ours)))
"""
COMMANDS = {
    "snakemake": ("snakemake", "-n", "--quiet", "all"),
    "plan": ("postproof", "plan"),
    "verify": ("postproof", "verify", "--here"),
    "dvc status": ("postproof.engines.dvc_command", "status"),
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """How many files each command opens, by number of runs; each finds all made and recorded."""
    checkout = grown(tmp_path_factory.mktemp("growth") / "toy", RUNS[0])
    found = {name: [] for name in COMMANDS}
    for runs in RUNS:
        checkout.set_params({"toy.walk": {"seeds": list(range(1, runs + 1))}})
        checkout.snakemake("--quiet")
        checkout.make("deps")
        checkout.make("record")
        checkout.commit(f"{runs} runs")
        for name, command in COMMANDS.items():
            said = checkout.run(sys.executable, "-P", "-c", COUNT, *command).stdout
            found[name].append(int(said.rpartition("OPENED ")[2]))
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", COMMANDS)
def test_files_opened_grow_with_the_runs_and_no_faster(opened, name):
    few, more, many = opened[name]
    assert few < more < many, opened
    assert many - more <= MOST * (more - few), opened
