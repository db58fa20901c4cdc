"""What a failed job prints, logs and leaves is the same in both engines, and `postproof why` tells of it."""

import json

import pytest

FAILING = "results/toy/runs/walk/walk-seed8.csv"
RAISES = """
    if args.seed == 8:
        from postproof.core.errors import DataError
        try:
            {}["step"]
        except KeyError as error:
            raise DataError("a walk without steps", seed=args.seed, allowed="one step or more",
                            remedy="give it steps") from error
"""
KILLED = """
    if args.seed == 8:
        import os
        os.kill(os.getpid(), 9)
"""
ENGINES = {"snakemake": ("snakemake", "--cores", "1"), "dvc": ("dvc", "repro", "walk@8")}


def broken(checkout, how: str):
    """The checkout with a walk whose job fails."""
    head = "def main(args) -> None:\n"
    checkout.replace("src/postproof/toy/walk.py", head, head + how.strip("\n") + "\n")
    return checkout


def failure(checkout, engine: str) -> tuple[str, dict]:
    """What an engine prints to people where the job fails, and the failure's line in the log."""
    done = checkout.run(*ENGINES[engine], check=False)
    assert done.returncode != 0
    told = [
        line for line in done.stderr.splitlines() if line.startswith(("postproof: data error", "  seed", "  what to"))
    ]
    lines = (checkout.path / "logs/walk/results/8.log").read_text().splitlines()
    [record] = [record for record in map(json.loads, lines) if record["level"] == "error"]
    return "\n".join(told), {key: value for key, value in record.items() if key != "time"}


def test_both_engines_print_log_and_leave_the_same_of_a_failed_job(checkout, tmp_path):
    broken(checkout, RAISES)
    before = checkout.artefacts()
    told, records, left = {}, {}, {}
    for engine in ENGINES:
        copy = checkout.copy(tmp_path / engine)
        told[engine], records[engine] = failure(copy, engine)
        left[engine] = {path: sha for path, sha in copy.artefacts().items() if "seed7" not in path}
    assert told["snakemake"] == told["dvc"]
    assert told["snakemake"].splitlines() == ["postproof: data error: a walk without steps", "  seed: 8",
                                              "  what to do: give it steps"]  # fmt: skip
    traces = {engine: record.pop("exception.stacktrace") for engine, record in records.items()}
    assert records["snakemake"] == records["dvc"]
    assert records["dvc"]["exception.type"] == "postproof.core.errors.DataError"
    assert records["dvc"]["causes"] == ["KeyError: 'step'"]
    assert all("KeyError: 'step'" in trace and "a walk without steps" in trace for trace in traces.values())
    assert left["snakemake"] == {path: sha for path, sha in before.items() if "seed7" not in path}


def test_why_tells_the_failure_and_commands_that_run_the_job_alone(checkout):
    assert "succeeded" in checkout.postproof("why")
    broken(checkout, RAISES)
    assert "`make why`" in checkout.run("snakemake", "--cores", "1", check=False).stderr
    told = checkout.postproof("why")
    assert told.splitlines()[0] == FAILING
    for part in ("exit code 11", "rule walk", "data error, a walk without steps", "seed: 8", "cause: KeyError",
                 "what to do: give it steps", f"snakemake --cores 1 -- {FAILING}", "dvc repro walk@8",
                 "python -m pdb -m postproof --mode exact toy.walk", "logs/walk/results/8.log"):  # fmt: skip
        assert part in told, told
    assert "Traceback" not in told and "Traceback" in checkout.postproof("why", "walk@8", "--trace")
    assert json.loads(checkout.postproof("why", "--json", FAILING))["family"] == "data"

    alone = next(line for line in told.splitlines() if "snakemake" in line).split()
    assert checkout.run(*alone, check=False).returncode != 0
    checkout.git("checkout", "src")
    checkout.run(*alone)
    assert "succeeded" in checkout.postproof("why")
    assert f"the last attempt of {FAILING} succeeded" in checkout.postproof("why", FAILING)


@pytest.mark.slow
def test_why_tells_of_a_job_that_was_killed(checkout):
    broken(checkout, KILLED).run("snakemake", "--cores", "1", check=False)
    told = checkout.postproof("why", FAILING)
    assert "killed (out of memory?)" in told and f"snakemake --cores 1 -- {FAILING}" in told


def test_why_of_no_job_is_a_usage_error(checkout):
    done = checkout.run("python", "-m", "postproof", "why", "walks", check=False)
    assert done.returncode == 2 and "no job of this name" in done.stderr
