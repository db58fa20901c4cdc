"""Where memory is short, no more jobs run at once than their `mem_mb` fit into it."""

import pytest

from groups_helpers import control_group

SLEEPS = """
    import os, time
    events = os.open("events", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(events, b"began ")  # one call, that no other job's writing comes between
    time.sleep(10)  # longer than another job takes to start on a machine that is busy
    os.write(events, b"ended ")
"""


@pytest.mark.slow
@pytest.mark.parametrize("mem_mb, at_once", [(1000, False), (200, True)])
def test_in_a_small_container_jobs_run_at_once_if_they_fit(checkout, mem_mb, at_once):
    head = "def main(args) -> None:\n"
    checkout.replace("src/postproof/toy/walk.py", head, head + SLEEPS.strip("\n") + "\n")
    log = '    log:\n        f"logs/walk/'
    checkout.replace("workflow/rules/toy.smk", log, f"    resources:\n        mem_mb={mem_mb},\n{log}")
    with control_group(memory_mb=1600) as within:
        checkout.run(*within, "snakemake", "--cores", "2")
    events = (checkout.path / "events").read_text().split()
    assert events == (["began", "began", "ended", "ended"] if at_once else ["began", "ended", "began", "ended"])
