"""Look for slips (`make lint`): Snakemake's own lints of the rules, a dvc.yaml that is not as it would be made, columns
of metrics tables that nothing uses.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from postproof.core.errors import EngineError
from postproof.engines import columns, dvcfile

# Lints that do not apply, by how they begin, each with the reason.
LEFT_OUT = (
    # One pinned environment, requirements.lock, is behind all rules: results have to be the same bytes.
    "Specify a conda environment or container",
    # It must not be part of the rule's text, nor of its params: files in data/ are made in both modes.
    "Shell command directly uses variable MODE",
)


def add_arguments(parser) -> None:
    pass


def main(args) -> None:
    """Raises EngineError with the first lint, or when dvc.yaml is stale; ArtefactError with the first such column."""
    # As text: Snakemake's JSON of lints (9.27) fails on a file of its own type.
    done = subprocess.run([sys.executable, "-m", "snakemake", "--lint"], capture_output=True, text=True)
    said = done.stdout + done.stderr
    found = lints(said)
    if done.returncode and not found:
        raise EngineError("snakemake cannot read the rules", it_said=" / ".join(said.strip().splitlines()[-5:]))
    kept = [lint for lint in found if not lint[1].startswith(LEFT_OUT)]
    if kept:
        where, title = kept[0]
        raise EngineError(title, where=where, lints=len(kept), remedy="`snakemake --lint` says more")
    dvcfile.check()
    columns.check(Path.cwd())


def lints(text: str) -> list[tuple[str, str]]:
    """Where and what, for each lint in the text that Snakemake prints."""
    found, where = [], ""
    for line in text.splitlines():
        if match := re.fullmatch(r"Lints for (.*):", line):
            where = match[1]
        elif match := re.fullmatch(r"    \* (.*?):?", line):
            found.append((where, match[1]))
    return found
