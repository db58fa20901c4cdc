# What all rules share: valid parameters, the code of a command as input, sections of params.yaml, and failed jobs.
import json
import os
import sys
from pathlib import Path

from postproof import cli, codegraph, params
from postproof.errors import PostproofError


def or_exit(function, *arguments):
    """What the function gives; an error of ours ends Snakemake with its message and exit code, before any DAG."""
    try:
        return function(*arguments)
    except PostproofError as error:
        sys.exit(cli.report(error, log=None))


# Snakemake would not name the file that it cannot read, and would let the second of two equal keys win.
or_exit(params.load, "params.yaml")


configfile: "params.yaml"


or_exit(params.validate, config, "params.yaml", "workflow/schemas/params.schema.yaml")

# Rules say `python`: it is the one that runs Snakemake, also where its environment is not activated.
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]

RESULTS = "results" if config["mode"] == "exact" else "results-fast"
POSTPROOF = f"python -m postproof --mode {config['mode']}"
# Exact jobs are one thread each and run side by side; a fast one takes what there is.
TRAINING_THREADS = 1 if config["mode"] == "exact" else workflow.cores
# By post, filled in by its rule file; figures.smk and claims.smk read them.
TABLES = {}  # stems of its metrics tables
OTHERS = {}  # posts with whose figures its own are compared, if any
CHARTS = {}  # of its charts of such tables alone, each with the tables, in the order in which its command takes them
BESIDE = {}  # of its charts of tables with measurements beside them where there are some: both, as above and below
MEASURED = {}  # of its charts of measurements, each with the machines' tables
FIGURES = {}  # of all its charts


def measured(*stems):
    """Those of the stems for which some machine's table is at hand, with these tables."""
    tables = {stem: sorted(map(str, Path("data/measured", stem).glob("*.csv"))) for stem in stems}
    return {stem: found for stem, found in tables.items() if found}


wildcard_constraints:
    arm=r"[a-z_]+",
    seed=r"\d+",
    post=r"[a-z0-9_]+",
    stem=r"[a-z0-9_]+",


class Section(str):
    """A part of params.yaml as a job gets it: plain text, or JSON. `key` says which part."""

    def __new__(cls, key):
        value = params.look_up(config, key)
        section = super().__new__(cls, value if isinstance(value, str) else json.dumps(value))
        section.key = key
        return section


def section(key):
    # A function: in a plain string, Snakemake would take the braces of JSON for wildcards.
    return lambda wildcards: Section(key)


def code(command):
    return codegraph.closure(command)


onsuccess:
    # A rebuild in a fresh clone makes the bytes that dvc.lock records, but not DVC's cache of them. Under `dvc repro`
    # DVC does that itself.
    if config["mode"] == "exact" and "DVC_STAGE" not in os.environ:
        shell("python -m postproof record --unchanged")


onerror:
    # Outputs are flagged `update`, so that a job that fails leaves the last good files in place. Snakemake would then
    # take them for current; marked as incomplete, they are made again by the next run (profiles/default).
    for job in workflow.dag.jobs:
        if workflow.dag.needrun(job) and not workflow.dag.finished(job):
            workflow.persistence.started(job)
