"""Where memory is short, no more jobs run at once than their `mem_mb` fit into it."""

import pytest

from groups_helpers import control_group

SLEEPS = """
    import time
    print("walk began", time.monotonic(), flush=True)
    time.sleep(10)  # longer than another job takes to start on a machine that is busy
    print("walk ended", time.monotonic(), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("mem_mb, at_once", [(1000, False), (200, True)])
def test_in_a_small_container_jobs_run_at_once_if_they_fit(checkout, mem_mb, at_once):
    head = "def main(args) -> None:\n"
    checkout.replace("src/postproof/toy/walk.py", head, head + SLEEPS.strip("\n") + "\n")
    log = '    log:\n        f"logs/walk/'
    checkout.replace("workflow/rules/toy.smk", log, f"    resources:\n        mem_mb={mem_mb},\n{log}")
    with control_group(memory_mb=1600) as within:
        done = checkout.run(*within, "snakemake", "--cores", "2")
    words = [line.split() for line in done.stdout.splitlines() if line.startswith("walk ")]
    events = [event for _, event in sorted((float(time), event) for _, event, time in words)]
    assert events == (["began", "began", "ended", "ended"] if at_once else ["began", "ended", "began", "ended"])
