"""Which pages there are, by what the project has; and all of them made anew in another folder.

`python tests/helpers/pages_helpers.py FOLDER` makes them from the checkout's results as the DAG's jobs do.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from postproof import cli
from postproof.engines import dag, inventory

ROOT = Path(__file__).parents[2]
POSTS = inventory.posts(ROOT)
FAMILIES = sorted(path.stem for path in (ROOT / "claims/families").glob("*.yaml"))
PAGES = ["index", *POSTS, "claims", "families", *(f"family-{name}" for name in FAMILIES), "verdicts", "found"]


def make(folder: Path, **environment: str) -> None:
    """In a process of its own: Snakemake plans in no process that has an event loop, as a browser's test has."""
    inherited = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    line = [sys.executable, __file__, str(folder)]
    done = subprocess.run(line, cwd=ROOT, env=inherited | environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr


def main(folder: Path) -> None:
    jobs = [job for job in dag.jobs(ROOT, targets=["pages"]) if job.rule.name in ("site", "site_post")]
    assert len(jobs) == len(POSTS) + 1
    for job in jobs:
        name, *line = (word.replace("results/site/", f"{folder}/") for word in job.command)
        cli.run(name, line, "fast", None)  # exact mode has to start before numerical libraries; none counts here
        missing = [output for output in job.outputs if not (folder / Path(output).name).is_file()]
        assert not missing, f"an output that {name} did not make: {missing}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
