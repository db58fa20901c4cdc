"""Which jobs Snakemake and DVC would each run now, and whether they name the same ones."""

from __future__ import annotations

import json
from pathlib import Path

from postproof import dag


def add_arguments(parser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object: engine to list of first outputs")


def main(args) -> int:
    root = Path.cwd()
    plans = {"snakemake": snakemake_plan(root), "dvc": dvc_plan(root)}
    if args.json:
        print(json.dumps(plans, indent=2))
    else:
        for path in sorted(set().union(*plans.values())):
            print(f"{path}: {' and '.join(engine for engine, plan in plans.items() if path in plan)}")
        same = "name the same" if plans["snakemake"] == plans["dvc"] else "DO NOT name the same"
        print(f"{len(plans['snakemake'])} jobs by Snakemake, {len(plans['dvc'])} by DVC; they {same}")
    return 0 if plans["snakemake"] == plans["dvc"] else 1


def snakemake_plan(root: Path) -> list[str]:
    """The first output, alphabetically, of each job that Snakemake would run."""
    return sorted(min(job.outputs) for job in dag.jobs(root) if job.needed)


def dvc_plan(root: Path) -> list[str]:
    """The first output of each stage that `dvc status` names, and of each stage that depends on one of them."""
    import networkx
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        changed = repo.status()
        graph = repo.index.graph
        stages = {stage for stage in graph if stage.addressing in changed}
        # DVC's edges point from a stage to what it depends on.
        stages |= {later for stage in stages for later in networkx.ancestors(graph, stage)}
        return sorted(min(out.def_path for out in stage.outs) for stage in stages)
