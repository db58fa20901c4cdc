# What all rules share: valid parameters, the code of a command as input, sections of params.yaml, and failed jobs.
import json
import re
import sys
from pathlib import Path

from postproof import cli
from postproof.core import environment, exact
from postproof.core.errors import PostproofError
from snakemake.io import flag

from postproof.engines import codegraph, dag, inventory, params, receipts, snakemake_state

ROOT = Path(workflow.basedir)


def or_exit(function, *arguments):
    """What the function gives; an error of ours ends Snakemake with its message and exit code, before any DAG."""
    try:
        return function(*arguments)
    except PostproofError as error:
        sys.exit(cli.report(error, log=None))


or_exit(environment.check_folder, ROOT)

# Not `configfile:`. It reads YAML 1.1, DVC 1.2: `5e-05`, which `dvc exp run` writes, would be text here, a number there.
config.update(
    or_exit(params.layered, ["params.yaml", *workflow.overwrite_configfiles], workflow.config_settings.config)
)
or_exit(params.validate, config, "params.yaml", ROOT)

snakemake_state.prepare_environment(ROOT)
snakemake_state.limit_memory(workflow)
snakemake_state.note_rules(workflow, config, ROOT)

MODE = config["mode"]
if MODE == "exact":
    or_exit(exact.check_processor)
RESULTS = "results" if MODE == "exact" else "results-fast"
# Exact jobs are one thread each and run side by side; a fast one takes what there is, or its GPU's share of that.
AT_ONCE = 1 if config["device"] == "cpu" else snakemake_state.limit_gpus(workflow)
TRAINING_THREADS = 1 if MODE == "exact" else max(1, workflow.cores // AT_ONCE)
SOURCES = or_exit(codegraph.Sources.read, ROOT)
if workflow.is_main_process:  # on a node of a cluster, what was planned with stays
    or_exit(codegraph.refresh, ROOT, SOURCES)
POSTS = or_exit(inventory.posts, ROOT)
CHARTS = {(chart.post, chart.name): chart for chart in or_exit(inventory.charts, ROOT, SOURCES)}
config["captions"] = {f"{post}/{name}": chart.caption for (post, name), chart in CHARTS.items()}  # for the report
CLAIMS = {post: or_exit(inventory.claims, ROOT, post) for post in POSTS}

# An output that something else changed is made again; Snakemake looks at inputs only. Not on a node of a cluster, where
# it is one that another job has just written.
if workflow.is_main_process:
    snakemake_state.mark_incomplete(receipts.altered(ROOT))


wildcard_constraints:
    arm=r"[a-z_]+",
    seed=r"\d+",
    post=r"[a-z0-9_]+",
    chart=r"[a-z0-9_]+",


class Section(str):
    """A part of params.yaml as a job gets it: plain text, or JSON. `key` says which part."""

    def __new__(cls, key):
        value = params.look_up(config, key)
        section = super().__new__(cls, value if isinstance(value, str) else json.dumps(value))
        section.key = key
        return section


def section(key):
    """The section, for `params`; `{wildcard}` in its key is filled in. It has the key as an attribute."""

    # A function: in a plain string, Snakemake would take the braces of JSON for wildcards.
    def of_job(wildcards):
        return Section(key.format(**wildcards))

    of_job.key = key
    return of_job


class Among(str):
    """A wildcard's constraint: the values that a list, or the keys of a mapping, in params.yaml has. `key`: which."""

    def __new__(cls, key):
        among = super().__new__(cls, "|".join(map(str, params.look_up(config, key))) or r"[^\s\S]")
        among.key = key
        return among


def chosen(key):
    """The path that params.yaml has at `key`, for `input`: DVC follows a change of it."""
    return flag(or_exit(params.path_at, config, key, "params.yaml"), dag.CHOSEN, key)


def published(*keys):
    """Files of the published models that lists or single names in params.yaml give, in that order."""
    values = [params.look_up(config, key) for key in keys]
    names = [name for value in values for name in ([value] if isinstance(value, str) else value)]
    return [f"data/configurations/{name}.yaml" for name in names]


def about_charts(of_post):
    """What is known of the charts of a post, by name."""
    return {
        name: {"caption": chart.caption, "code": chart.code, "tables": chart.tables, "measured": chart.measured}
        for (post, name), chart in CHARTS.items()
        if post == of_post
    }


def code(command):
    """The file that stands for the code of a command, for `input`."""
    if command not in SOURCES.commands:
        raise ValueError(f"no command {command} in src/postproof")
    return codegraph.path_of(command).as_posix()


def job(command):
    """The shell text that runs a command of ours as a job: engines/job.py. Whatever is filled in is quoted."""
    # The mode by name: files in data/ are made in both modes, and a rule's text is part of what Snakemake compares.
    runner = "python -m postproof --mode {MODE} --log {log} job"
    if MODE == "fast" and "--device" in command:  # exact jobs use no GPU, and keep their text
        runner += " --gpus {resources.gpu}"
    line = f"{runner} --code {{input.code}} --reads {{input}} --makes {{output}} -- {command}"
    return re.sub(r"\{(?!MODE\})([^{}:]+)\}", r"{\1:q}", line)


def holding(mb):
    """`mem_mb` of a rule, for `resources`: the most that a job of it was seen to hold (`peak_mb` in its log)."""
    return snakemake_state.holding(workflow, mb)


def tables(names):
    """Paths of tables by {post}/{table}."""
    return inventory.files_of(ROOT, names, RESULTS)


onstart:
    snakemake_state.pass_on_force(workflow.dag_settings)
    snakemake_state.look_when_a_job_ends(workflow)
    snakemake_state.cancel_left(workflow, ROOT)
    if MODE == "exact":  # the rules of fast mode make nothing in results/
        snakemake_state.remove_stale_runs(workflow.rules, receipts.restorable(ROOT))


onsuccess:
    # A rebuild in a fresh clone makes the bytes that dvc.lock records; DVC is told where all of them are as recorded.
    # Under `dvc repro` it does that itself.
    if MODE == "exact" and not snakemake_state.run_by_dvc():
        shell("python -m postproof record --unchanged")


onerror:
    # Outputs are flagged `update`, so that a job that fails leaves the last good files in place. Snakemake would then
    # take them for current (its issue 3808); marked as incomplete, they are made again by the next run.
    for job in workflow.dag.jobs:
        if workflow.dag.needrun(job) and not workflow.dag.finished(job):
            workflow.persistence.started(job)
    print("postproof: `make why` tells what failed, what to do, and how to run that job alone", file=sys.stderr)
