"""Make dvc.yaml, whole, from the jobs of the Snakemake DAG (`make deps`).

A stage is a rule: one that has wildcards becomes a `matrix` (or `foreach`, over a mapping of params.yaml). Where the
values come from params.yaml the stage refers to them, so that DVC follows a change of params without a new file. Jobs
of one rule that differ in more than their wildcards' values are stages of their own, RULE-VALUE-VALUE.

- Files that are made for each of the values that params.yaml has (runs over seeds) are inputs by their folder: how many
  there are is params.yaml's. .dvcignore leaves out what no job made.
- Code is an input through build/code/{command}.txt, which the stage `code` makes.
- What a rule says itself (its shell text, a caption) DVC does not see: a digest of it ends the command, as a comment.
- A rule whose values in params.yaml are empty by default has no job; the EXAMPLES of the post's settings give it one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from postproof.core import files
from postproof.core.errors import EngineError
from postproof.engines import codegraph, dag, params
from postproof.engines.dag import Job, Rule
from postproof.engines.lockfile import CODE_STAGE, WORDS

DVC_FILE = Path("dvc.yaml")
# Forced: the outputs are there (`persist`), and Snakemake may take them for current. What is known is restored.
SNAKEMAKE = "snakemake --cores 1 --rerun-incomplete --force --allowed-rules"
HEADER = """\
# Made by `make deps` from the jobs of the Snakemake DAG; not for editing, `make lint` says when it is stale.
# One stage per job, so that DVC can record, cache and restore each; Snakemake runs them: `dvc repro STAGE`.
"""
TALLY = "tally.json"  # of a post's verdicts: what `dvc metrics` compares
# Small, and looked at by readers: in Git, not in DVC's cache.
IN_GIT = ("metrics", "figures", "interactive", "interactive.js", "claims.json", TALLY, "README.md")
MAKES_CODE = {
    "cmd": "python -P -m postproof codegraph",
    "deps": [f"src/{codegraph.PACKAGE}", codegraph.SCHEMAS.as_posix()],
}


def add_arguments(parser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; fail when dvc.yaml is not up to date")


def main(args) -> None:
    """Raises EngineError, with --check, when dvc.yaml is not as it would be made."""
    if args.check:
        check()
    elif write(Path.cwd()):
        print(f"{DVC_FILE}: made anew")


def check() -> None:
    """Raises EngineError when dvc.yaml is not as it would be made."""
    if is_stale():
        raise EngineError("stale: rules, params or code have changed", file=DVC_FILE, remedy="run `make deps`")


def is_stale() -> bool:
    return _there() != made(Path.cwd())


def write(root: Path) -> bool:
    """Makes dvc.yaml anew; whether that changed it."""
    text = made(root)
    changed = text != _there()
    if changed:
        files.write_text(DVC_FILE, text)
    return changed


def _there() -> str:
    return DVC_FILE.read_text(encoding="utf-8") if DVC_FILE.is_file() else ""


def made(root: Path) -> str:
    """The text of dvc.yaml. Raises EngineError when two stages would have one name."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data) -> bool:
            return True

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

    jobs = dag.jobs(root)
    content = {"vars": [{"snakemake": SNAKEMAKE}], "stages": stages(root, jobs)} | shown(jobs)
    return HEADER + yaml.dump(content, Dumper=Plain, sort_keys=False, width=1000)


def shown(jobs: Iterable[Job]) -> dict[str, list[str]]:
    """What `dvc metrics` and `dvc plots` show: the tally of each post's verdicts, and the charts."""
    outputs = sorted(output for job in jobs for output in job.outputs)
    return {
        "metrics": [path for path in outputs if PurePosixPath(path).name == TALLY],
        "plots": [path for path in outputs if PurePosixPath(path).match("figures/*.svg")],
    }


def stages(root: Path, jobs: Sequence[Job]) -> dict[str, dict[str, Any]]:
    """The stages by name, in the order of the flow. `jobs`: all of the DAG."""
    sources = codegraph.Sources.read(root)
    rules = dag.rules(root)
    groups: dict[str, list[Job]] = {}
    for job in [*jobs, *_optional(root, rules, {job.rule.name for job in jobs})]:
        groups.setdefault(job.rule.name, []).append(job)
    by_params = {output: job.rule for group in groups.values() for job in group if _from_params(job.rule)
                 for output in job.outputs}  # fmt: skip
    outs = [codegraph.path_of(command).as_posix() for command in sources.commands]
    found = {CODE_STAGE: MAKES_CODE | {"outs": outs}}
    for rule in rules:
        for name, stage in _stages_of(groups.get(rule.name, []), by_params).items():
            if name in found:
                raise EngineError("two stages have one name", stage=name, remedy="rename one of the rules")
            found[name] = stage
    return found


def _optional(root: Path, rules: Sequence[Rule], present: set[str]) -> list[Job]:
    """A job for each rule that has none since a list or mapping of params.yaml is empty, with an example in it."""
    examples = {
        f"{post}.{key}": value
        for post, cls in params.sections(root).items()
        for key, value in getattr(cls, "EXAMPLES", {}).items()
    }
    found = []
    for rule in rules:
        keys = {name: key for name, key in rule.wildcards.items() if key in examples}
        if rule.name in present or not keys:
            continue
        value = {name: next(iter(examples[key])) for name, key in keys.items()}
        overrides: dict[str, Any] = {}
        for key in keys.values():
            section = overrides
            *path, last = key.split(".")
            for part in path:
                section = section.setdefault(part, {})
            section[last] = examples[key]
        target = rule.outputs[0].format(**value)
        found += [job for job in dag.jobs(root, overrides, [target]) if job.rule.name == rule.name]
    return found


def _from_params(rule: Rule) -> bool:
    return any(rule.wildcards.values())


def _stages_of(group: list[Job], by_params: Mapping[str, Rule]) -> dict[str, dict[str, Any]]:
    """The stages of one rule's jobs."""
    if not group:
        return {}
    rule = group[0].rule
    varying = {
        name: list(dict.fromkeys(job.wildcards[name] for job in group))
        for name, key in rule.wildcards.items()
        if key or len({job.wildcards[name] for job in group}) > 1
    }
    if not varying:
        return {rule.name: _stage(group, {}, by_params)} if len(group) == 1 else {}
    if len(group) == len(list(itertools.product(*varying.values()))):
        mapping = [name for name in varying if _is_mapping(rule.wildcards[name])]
        names = {name: f"${{item.{name}}}" for name in varying}
        if mapping:
            names = {mapping[0]: "${key}"} if len(varying) == 1 else {}
        stage = _stage(group, names, by_params) if names else None
        if stage is not None and mapping:
            return {rule.name: {"foreach": f"${{{rule.wildcards[mapping[0]]}}}", "do": stage}}
        if stage is not None:
            over = {
                name: f"${{{rule.wildcards[name]}}}" if rule.wildcards[name] else values
                for name, values in varying.items()
            }
            return {rule.name: {"matrix": over} | stage}
    return {
        "-".join([rule.name, *(job.wildcards[name] for name in varying)]): _stage([job], {}, by_params) for job in group
    }


def _is_mapping(key: str | None) -> bool:
    return key is not None and isinstance(params.look_up(params.load("params.yaml"), key), dict)


def _stage(group: list[Job], names: Mapping[str, str], by_params: Mapping[str, Rule]) -> dict[str, Any] | None:
    """One stage for all jobs of the group, `names` standing for the values of wildcards; None when that is not so."""
    fixed = {name: value for name, value in group[0].wildcards.items() if name not in names}
    outs = [pattern.format(**fixed, **names) for pattern in group[0].rule.outputs]
    patterns = [pattern.format(**fixed, **names) for pattern in group[0].rule.inputs]
    deps = _templates([_inputs(job, by_params) for job in group], group, names, patterns)
    keys = _templates([{key for key, _ in job.params} for job in group], group, names, replaced=True)
    if deps is None or keys is None or len({job.words for job in group}) > 1:
        return None
    stage: dict[str, Any] = {"cmd": f"${{snakemake}} {group[0].rule.name} -- {outs[0]}{WORDS}{group[0].words}"}
    stage["deps"] = sorted(deps)
    if keys:
        stage["params"] = sorted(keys)
    # DVC deletes outputs before it runs a stage, unless they are to persist: one that fails would leave nothing.
    stage["outs"] = [{out: {"persist": True} | ({"cache": False} if in_git(out) else {})} for out in outs]
    return stage


def _inputs(job: Job, by_params: Mapping[str, Rule]) -> set[str]:
    """The job's inputs and its code; runs over values of params.yaml by their folder, if the job reads several."""
    made = [path for path in job.inputs if path in by_params and by_params[path].name != job.rule.name]
    named = {path: str(PurePosixPath(path).parent) for path in made} if len(made) > 1 else {}
    named |= {path: f"${{{key}}}" for path, key in job.rule.chosen.items()}
    return {named.get(path, path) for path in job.inputs} | ({job.code} if job.code else set())


def _templates(
    sets: list[set[str]],
    group: list[Job],
    names: Mapping[str, str],
    patterns: Iterable[str] = (),
    replaced: bool = False,
) -> set[str] | None:
    """Texts with `names` in place of wildcards' values that give each job its own set; None when there are none.

    Where several would do, the one with the fewest values replaced, or the most.
    """
    found = set()
    for text in sets[0]:
        candidates = [*patterns, *_candidates(text, group[0].wildcards, names)]
        for candidate in reversed(candidates) if replaced else candidates:
            if _filled(candidate, group[0], names) == text and all(
                _filled(candidate, job, names) in own for job, own in zip(group, sets)
            ):
                found.add(candidate)
                break
        else:
            return None
    exact = all({_filled(text, job, names) for text in found} == own for job, own in zip(group, sets))
    return found if exact else None


def _candidates(text: str, wildcards: Mapping[str, str], names: Mapping[str, str]) -> list[str]:
    """The text as it stands first, then with values of wildcards replaced, at any of the places where they occur."""
    candidates = [text]
    for name, symbol in names.items():
        value = wildcards[name]
        for candidate in list(candidates):
            places = [at for at in range(len(candidate)) if candidate.startswith(value, at)]
            for count in range(1, len(places) + 1):
                for chosen in itertools.combinations(places, count):
                    replaced = candidate
                    for at in reversed(chosen):
                        replaced = replaced[:at] + symbol + replaced[at + len(value) :]
                    candidates.append(replaced)
    return candidates


def _filled(template: str, job: Job, names: Mapping[str, str]) -> str:
    for name, symbol in names.items():
        template = template.replace(symbol, job.wildcards[name])
    return template


def in_git(path: str) -> bool:
    """Whether Git holds this output, and not DVC's cache."""
    return any(part in IN_GIT for part in PurePosixPath(path).parts)
