"""Fill in the code files that each stage of dvc.yaml depends on, from what its command imports."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from postproof import dag, files
from postproof.errors import EngineError

DVC_FILE = Path("dvc.yaml")
CODE = "src/"


@dataclasses.dataclass(frozen=True)
class Stage:
    """One resolved DVC stage (one item of a matrix), in the terms of `dag.Job`. An input may be a folder."""

    name: str
    inputs: frozenset[str]
    code: frozenset[str]
    outputs: frozenset[str]
    params: frozenset[str]

    @property
    def group(self) -> str:
        """The stage's key in dvc.yaml, without the matrix item."""
        return self.name.partition("@")[0]

    @property
    def item(self) -> str:
        return self.name.partition("@")[2]


def add_arguments(parser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; fail when dvc.yaml is not up to date")


def main(args) -> None:
    old = DVC_FILE.read_text(encoding="utf-8")
    new = filled_in(old, stages(Path.cwd()), dag.jobs(Path.cwd()))
    if new == old:
        return
    if args.check:
        raise EngineError("code dependencies are not up to date", file=DVC_FILE, remedy="run `make deps`")
    files.write_text(DVC_FILE, new)
    print(f"{DVC_FILE}: code dependencies filled in")


def stages(root: Path) -> list[Stage]:
    """All stages of dvc.yaml in `root`, with their templates resolved by DVC."""
    from dvc.repo import Repo

    resolved = []
    with Repo(str(root)) as repo:
        for stage in repo.index.stages:
            deps = {dep.def_path for dep in stage.deps if not hasattr(dep, "params")}
            code = {path for path in deps if path.startswith(CODE)}
            params = {key for dep in stage.deps if hasattr(dep, "params") for key in dep.params}
            outputs = frozenset(out.def_path for out in stage.outs)
            resolved.append(Stage(stage.name, frozenset(deps - code), frozenset(code), outputs, frozenset(params)))
    return resolved


def filled_in(text: str, stages: list[Stage], jobs: list[dag.Job]) -> str:
    """dvc.yaml with the code of the matching jobs in place of what stood there.

    Raises EngineError when a stage has no job with its outputs, or the items of a matrix differ in more than a path
    that holds the item's value.
    """
    from io import StringIO

    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(text)
    code_by_outputs = {job.outputs: job.code for job in jobs}
    code_by_item: dict[str, dict[str, frozenset[str]]] = {}
    for stage in stages:
        if stage.outputs not in code_by_outputs:
            raise EngineError(
                "no Snakemake job has the outputs of this stage", file=DVC_FILE, stage=stage.name,
                outputs=", ".join(sorted(stage.outputs)), remedy="make dvc.yaml and workflow/rules agree",
            )  # fmt: skip
        code_by_item.setdefault(stage.group, {})[stage.item] = code_by_outputs[stage.outputs]
    for group, code in code_by_item.items():
        entry = document["stages"][group]
        others = [path for path in entry["deps"] if not path.startswith(CODE)]
        entry["deps"][:] = others + sorted(_templated(group, code, list(entry.get("matrix", ()))))
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _templated(group: str, code_by_item: dict[str, frozenset[str]], keys: list[str]) -> set[str]:
    """The code of all items as one set of paths, `${item.KEY}` standing for the value of a one-key matrix."""
    common = frozenset.intersection(*code_by_item.values())
    templates = {
        frozenset(
            path.replace(f"/{item}.py", f"/${{item.{keys[0]}}}.py") if len(keys) == 1 else path
            for path in code - common
        )
        for item, code in code_by_item.items()
    }
    if len(templates) != 1:
        raise EngineError(
            "the items of a matrix run different code", file=DVC_FILE, stage=group,
            differing=", ".join(sorted(set().union(*templates))), remedy="split the stage",
        )  # fmt: skip
    return common | templates.pop()
