"""Which jobs Snakemake and DVC would each run now, and whether they name the same ones."""

from __future__ import annotations

import json
from pathlib import Path

from postproof.engines import dag, dvc_state, dvcfile


def add_arguments(parser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object: engine to list of first outputs")


def main(args) -> int:
    root = Path.cwd()
    # Snakemake first: reading its rules makes the files of the code, at which DVC looks.
    plans = {"snakemake": snakemake_plan(root), "dvc": dvc_state.plan(root)}
    if args.json:
        print(json.dumps(plans, indent=2))
    else:
        for path in sorted(set().union(*plans.values())):
            print(f"{path}: {' and '.join(engine for engine, plan in plans.items() if path in plan)}")
        same = "name the same" if plans["snakemake"] == plans["dvc"] else "DO NOT name the same"
        print(f"{len(plans['snakemake'])} jobs by Snakemake, {len(plans['dvc'])} by DVC; they {same}")
        if plans["snakemake"] != plans["dvc"] and dvcfile.is_stale():
            print(f"{dvcfile.DVC_FILE} is not as the rules make it, and DVC goes by it: `make deps`")
    return 0 if plans["snakemake"] == plans["dvc"] else 1


def snakemake_plan(root: Path) -> list[str]:
    """The first output, alphabetically, of each job that Snakemake would run."""
    return sorted(min(job.outputs) for job in dag.jobs(root) if job.needed)
