"""Record what is in the working tree in dvc.lock and the DVC cache (`make record`)."""

from __future__ import annotations

from pathlib import Path

from postproof import dag, dvcfile, files, lockfile
from postproof.errors import EngineError
from postproof.sync import run


def add_arguments(parser) -> None:
    parser.add_argument(
        "--unchanged",
        action="store_true",
        help="only fill the DVC cache, and only when everything is as dvc.lock says (after a rebuild in a fresh clone)",
    )


def main(args) -> None:
    """Raises EngineError when what is here is not what the code and params make: DVC would take our word for it."""
    root = Path.cwd()
    open_jobs = [min(job.outputs) for job in dag.jobs(root) if job.needed or not job.known]
    if args.unchanged:
        if not open_jobs and (root / lockfile.LOCK_FILE).exists() and lockfile.unchanged(root):
            run("dvc", "commit", "--force", "--quiet")
        return
    if open_jobs:
        raise EngineError(
            "there are files that Snakemake would make anew, or did not make",
            jobs=len(open_jobs),
            first=sorted(open_jobs)[0],
            remedy="run `snakemake --cores` first (`snakemake --cores --forceall` for files of unknown origin)",
        )
    run("dvc", "commit", "--force", "--quiet")
    for name in drop_stale(root):
        print(f"{lockfile.LOCK_FILE}: dropped {name}, which dvc.yaml no longer has")
    print(f"recorded {len(lockfile.read(root))} artefacts; commit {lockfile.LOCK_FILE} and results/ with Git")


def drop_stale(root: Path) -> list[str]:
    """Removes the stages from dvc.lock that dvc.yaml no longer has (a removed seed, say): DVC leaves them in."""
    from ruamel.yaml import YAML

    yaml = YAML()
    path = root / lockfile.LOCK_FILE
    document = yaml.load(path.read_text(encoding="utf-8"))
    current = {stage.name for stage in dvcfile.stages(root)}
    stale = [name for name in document["stages"] if name not in current]
    if stale:
        for name in stale:
            del document["stages"][name]
        with files.atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            yaml.dump(document, file)
    return stale
