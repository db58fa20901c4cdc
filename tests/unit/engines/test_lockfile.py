"""Whether the jobs that the rules have now are the ones that dvc.lock records."""

import dataclasses

import pytest

from postproof.engines import lockfile
from postproof.engines.dag import Job, Rule

CODE = "build/code/post.walk.txt"
LOCK = f"""\
stages:
  table:
    cmd: 'snakemake table -- table.csv{lockfile.WORDS}0f'
    deps:
    - path: {CODE}
      md5: '1'
    - path: runs/walk
      md5: '2'
    - path: text.txt
      md5: '3'
    params:
      params.yaml:
        post.seeds: [7, 8]
    outs:
    - path: table.csv
      md5: '4'
"""
JOB = Job(
    rule=Rule("table", ("table.csv",), (), {}, {}),
    wildcards={},
    inputs=frozenset({"runs/walk/seed7.csv", "runs/walk/seed8.csv", "text.txt"}),
    code=CODE,
    outputs=("table.csv",),
    params=frozenset({("post.seeds", "[7, 8]")}),
    command=("post.walk",),
    words="0f",
    needed=False,
    known=True,
)
OTHERS = {
    "words": "1f",
    "inputs": JOB.inputs | {"other.txt"},
    "code": "build/code/post.run.txt",
    "params": JOB.params | {("post.steps", "5")},
}
FEWER = {"inputs": JOB.inputs - {"text.txt"}, "code": None, "params": frozenset()}


@pytest.fixture
def root(tmp_path):
    (tmp_path / lockfile.LOCK_FILE).write_text(LOCK)
    return tmp_path


def test_the_recorded_job_is_the_same_however_many_of_a_folder_it_reads(root):
    fewer = dataclasses.replace(JOB, inputs=JOB.inputs - {"runs/walk/seed8.csv"})
    assert lockfile.planned_otherwise(root, [JOB, fewer]) == []


@pytest.mark.parametrize("field, value", [*OTHERS.items(), *FEWER.items()])
def test_a_job_that_differs_in_one_thing_is_another(root, field, value):
    assert lockfile.planned_otherwise(root, [dataclasses.replace(JOB, **{field: value})]) == ["table"]


def test_an_output_that_no_stage_records_is_named(root):
    both = dataclasses.replace(JOB, outputs=("table.csv", "more.csv"))
    assert lockfile.planned_otherwise(root, [both]) == ["more.csv"]
