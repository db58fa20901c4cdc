"""Record what is in the working tree in dvc.lock and the DVC cache (`make record`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from postproof.core import files
from postproof.core.errors import EngineError
from postproof.engines import codegraph, crate, dag, dvc_state, dvcfile, job, lockfile, receipts
from postproof.engines.sync import run


def add_arguments(parser) -> None:
    parser.add_argument(
        "--unchanged",
        action="store_true",
        help="only fill the DVC cache, and only when everything is as dvc.lock says (after a rebuild in a fresh clone)",
    )


def main(args) -> None:
    """Raises EngineError when what is here is not what the code and params make: DVC would take our word for it."""
    root = Path.cwd()
    if args.unchanged:
        as_recorded = (root / lockfile.LOCK_FILE).exists() and lockfile.unchanged(root)
        if as_recorded and dvc_state.is_installed() and not any(map(is_open, jobs := dag.jobs(root))):
            commit(jobs)
        return
    jobs = dag.jobs(root)
    open_jobs = [min(each.outputs) for each in jobs if is_open(each)]
    if open_jobs:
        raise EngineError(
            "there are files that Snakemake would make anew, or did not make",
            jobs=len(open_jobs),
            first=sorted(open_jobs)[0],
            remedy="run `snakemake --cores` first (`snakemake --cores --forceall` for files of unknown origin)",
        )
    sources = codegraph.Sources.read(codegraph.ROOT)
    for each, key in job.keys_of_planned(jobs, sources):
        check(each, key)
    if dvcfile.write(root):
        print(f"{dvcfile.DVC_FILE}: made anew, since rules or params have changed; commit it too")
    commit(jobs)
    for name in drop_stale(root):
        print(f"{lockfile.LOCK_FILE}: dropped {name}, which dvc.yaml no longer has")
    crate.write(root, jobs)
    print(f"recorded {len(lockfile.read(root))} artefacts; commit {lockfile.LOCK_FILE} and results/ with Git")


def commit(jobs: Iterable[dag.Job]) -> None:
    """`dvc commit`, at whose end all is on disk."""
    for folder in (receipts.CACHE, receipts.JOBS, receipts.OUTPUTS):
        receipts.remove_leftovers(folder)
    for path in (*codegraph.FOLDER.glob("[!.]*"), *(Path(output) for each in jobs for output in each.outputs)):
        receipts.put_in_cache(path, receipts.md5_of_input(path))
    run("dvc", "commit", "--force")


def is_open(each: dag.Job) -> bool:
    return each.needed or not each.known


def check(each: dag.Job, key: str) -> None:
    """Raises EngineError unless the outputs are what a job of this very make gave: code, params and inputs as here."""
    if not receipts.is_made(key, map(Path, each.outputs)):
        output = min(each.outputs)
        raise EngineError(
            "a file is not what its job makes of the code, params and inputs that are here",
            file=output,
            rule=each.rule.name,
            remedy=f"run `snakemake --cores --forcerun {output}`, which makes it again",
        )


def drop_stale(root: Path) -> list[str]:
    """Removes the stages from dvc.lock that dvc.yaml no longer has (a removed seed, say): DVC leaves them in."""
    from ruamel.yaml import YAML

    current = dvc_state.stage_names(root)
    stale = [name for name in lockfile.stage_names(root) if name not in current]
    if stale:  # only then: to read it for writing takes seven times as long
        yaml = YAML()
        path = root / lockfile.LOCK_FILE
        document = yaml.load(path.read_text(encoding="utf-8"))
        for name in stale:
            del document["stages"][name]
        with files.atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            yaml.dump(document, file)
    return stale
